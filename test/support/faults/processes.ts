/** Servers in processes of their own, and what becomes of them. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Program } from "../examples/echo.js"
import type { Settings } from "./server.js"

export class Server {
  constructor(
    readonly program: Program,
    readonly port: number
  ) {}

  get child() {
    return this.program.child
  }

  signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Effect.Effect<void> {
    return Effect.sync(() => void this.child.kill(signal))
  }

  /** Its event loop stands still from now on. */
  hang(milliseconds: number): Effect.Effect<void> {
    return Effect.sync(() => void this.child.stdin.write(`${milliseconds}\n`))
  }

  /** Waits for the n-th line of its output after the first, which says where it listens. */
  event(number: number): Effect.Effect<Record<string, unknown>> {
    return this.program.event(number)
  }

  /** It runs, and nothing has gone past whoever should have handled it. */
  get isWell(): Effect.Effect<void> {
    return Effect.sync(() => {
      assert.isNull(this.child.exitCode)
      assert.notInclude(this.program.stdout, "unhandled")
      assert.notMatch(this.program.stderr, /unhandled|uncaught|exceeded memory|MaxListeners/i)
    })
  }
}

/** `files` is how many file descriptors it may have open. */
export const startServer = (settings: Settings, files?: number): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const program = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const path = fileURLToPath(new URL("server.ts", import.meta.url))
        const limit = files === undefined ? "" : `ulimit -n ${files}; `
        const command = `${limit}exec "$0" --import tsx "$1" "$2"`
        return new Program(spawn("sh", ["-c", command, process.execPath, path, JSON.stringify(settings)]))
      }),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const { port } = yield* program.event(0)
    assert(typeof port === "number")
    return new Server(program, port)
  })
