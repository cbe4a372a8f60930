/** Runs the rows that the command line selects. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { NoConnection } from "../failure.js"
import { listen } from "../listen.js"
import { overTcp } from "../ours.js"
import { dialling, listening } from "../remote.js"
import type { Needs } from "../row.js"
import type { Result, Target } from "../target.js"
import { plan, runRow } from "../target.js"
import type { Run } from "./arguments.js"

/** Runs the rows that the target is good for, one after the other; `done` is told of each at once. */
export const run = (
  command: Run,
  say: (text: string) => Effect.Effect<void>,
  done: (result: Result) => Effect.Effect<void>
): Effect.Effect<ReadonlyArray<Result>, NoConnection> =>
  Effect.scoped(
    Effect.gen(function* () {
      const target = yield* targetOf(command, say)
      const sessions = command.target._tag === "Ours" ? [true, false] : [command.typed]
      const planned = plan(command.rows, sessions).filter(({ row }) => target.can.has(row.needs))
      return yield* Effect.forEach(planned, ({ row, typed }) =>
        Effect.tap(runRow(row, typed, target, command.limit), done)
      )
    })
  )

const targetOf = (
  { target }: Run,
  say: (text: string) => Effect.Effect<void>
): Effect.Effect<Target, NoConnection, Scope.Scope> => {
  switch (target._tag) {
    case "Ours":
      return Effect.succeed(overTcp)
    case "Listens":
      return Effect.succeed(listening(target.host, target.port, target.holds ? "holder" : "acceptor"))
    case "Dials":
      return listen(target.host, target.port).pipe(
        Effect.tap(({ port }) => say(`waiting for a muxado that dials ${target.host}:${port}`)),
        Effect.map((listener) => {
          const can: ReadonlyArray<Needs> = target.repeats ? ["opener", "repeater"] : ["opener"]
          return dialling(listener, new Set(can))
        })
      )
  }
}
