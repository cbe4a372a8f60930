/**
 * Builds the peers before the first test. A missing toolchain is said clearly; on CI it is a failure. `INTEROP_PEERS`
 * names those to test (`go,rust`), all of them unless it is set.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import type { TestProject } from "vitest/node"
import type { PeerName } from "../../../tools/interop/peers.js"
import { buildOf, PEERS, programOf } from "../../../tools/interop/peers.js"
import { dirname } from "node:path"

declare module "vitest" {
  interface ProvidedContext {
    /** The peers that could be built. */
    readonly peers: ReadonlyArray<PeerName>
  }
}

export const setup = (project: TestProject): void => {
  const missing = new Set<string>()
  const built: Array<PeerName> = []
  const wanted = process.env["INTEROP_PEERS"]?.split(",")
  for (const peer of PEERS) {
    if (wanted !== undefined && !wanted.includes(peer)) continue
    const { command, directory, toolchain } = buildOf(peer)
    const [program, ...args] = toolchain.probe
    if (spawnSync(program, args).status !== 0) {
      missing.add(`${toolchain.name} (\`${toolchain.probe.join(" ")}\` does not run)`)
      continue
    }
    mkdirSync(dirname(programOf(peer)), { recursive: true })
    const began = Date.now()
    const [builder, ...options] = command
    const { status } = spawnSync(builder, options, { cwd: directory, stdio: ["ignore", "inherit", "inherit"] })
    if (status !== 0) throw new Error(`The peer ${peer} does not build: ${command.join(" ")} in ${directory}`)
    console.log(`built the peer ${peer} in ${Math.round((Date.now() - began) / 1000)} s`)
    built.push(peer)
  }
  if (missing.size > 0) {
    const text = `Missing toolchains: ${[...missing].join(", ")}. Their peers are not tested.`
    if (process.env["CI"] !== undefined) throw new Error(text)
    console.warn(text)
  }
  project.provide("peers", built)
}
