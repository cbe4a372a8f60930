/** The programs of other implementations, as processes. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { NoConnection } from "../failure.js"

export interface PeerProcess {
  /** The next line of its standard output. */
  readonly line: Effect.Effect<string, NoConnection>
  readonly exited: () => boolean
}

/** A program that runs until the scope closes, unless it ends before. */
export const start = (
  program: string,
  args: ReadonlyArray<string>
): Effect.Effect<PeerProcess, NoConnection, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(program, [...args], { stdio: ["ignore", "pipe", "ignore"] })
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
        let over = false
        child.on("error", () => (over = true))
        child.on("exit", () => (over = true))
        return { child, lines, exited: () => over }
      }),
      ({ child, exited }) =>
        Effect.async<void>((resume) => {
          if (exited()) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    ),
    ({ exited, lines }) => ({
      exited,
      line: Effect.flatMap(
        Effect.promise(() => lines.next()),
        ({ done, value }) =>
          done === true ? Effect.fail(new NoConnection({ detail: `${program} does not run` })) : Effect.succeed(value)
      )
    })
  )
