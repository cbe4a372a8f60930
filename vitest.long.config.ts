import base from "./vitest.config.js"
import { defineConfig } from "vitest/config"

/** The files that take longest: programs as processes, far links in real time, every medium, attackers, mutants, models. */
export const LONG: ReadonlyArray<string> = [
  "attacks",
  "conformance/cli",
  "conformance/memory",
  "conformance/mutants",
  "conformance/tcp",
  "docs/docstrings",
  "docs/readmePrograms",
  "docs/snippets",
  "examples/echo",
  "examples/mirror",
  "examples/recovering",
  "examples/small",
  "faults",
  "goldens/replay",
  "managed/connecting",
  "managed/pool",
  "managed/repeating",
  "managed/status",
  "messages/messages",
  "node/replacing",
  "node/suite",
  "protocol/model",
  "rolling",
  "session/growth",
  "session/interruptionProperty",
  "session/liveness",
  "session/manyCalls",
  "session/reentrancy",
  "session/transports",
  "simulate/managed",
  "simulate/sessions",
  "soak/soak",
  "testing/standingStill",
  "testing/virtualTime",
  "transport/fromSocketEager",
  "transport/simulatedDisorder",
  "transport/simulatedFaults",
  "transport/webSocketLimits"
].flatMap((name) => [`**/${name}.test.ts`, `**/${name}/*.test.ts`])

// `npm run test:long`: what `npm test` leaves out.
export default defineConfig({ ...base, test: { ...base.test, include: [...LONG] } })
