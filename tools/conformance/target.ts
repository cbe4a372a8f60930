/** A target of the suite: it gives connections whose other end is in the state that a row needs. */
import type { Transport } from "effect-muxado"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Deviation, NoConnection } from "./failure.js"
import type { Needs, Row } from "./row.js"
import { runsOn } from "./row.js"
import * as Wire from "./wire.js"

export interface Connection {
  readonly transport: Transport.TransportService
  /** The role of the tester. */
  readonly role: "client" | "server"
}

export interface Target {
  readonly can: ReadonlySet<Needs>
  readonly connect: (needs: Needs, typed: boolean) => Effect.Effect<Connection, NoConnection, Scope.Scope>
}

export interface Result {
  readonly row: Row
  readonly typed: boolean
  readonly outcome: "passed" | "failed" | "skipped"
  readonly failure: Deviation | NoConnection | undefined
  readonly milliseconds: number
}

/** How long a row may take that does not fail: far more than any needs. */
export const LIMIT: Duration.DurationInput = "5 seconds"

/** Runs a row on a connection of its own. */
export const runRow = (
  row: Row,
  typed: boolean,
  target: Target,
  limit: Duration.DurationInput = LIMIT
): Effect.Effect<Result> =>
  target.can.has(row.needs)
    ? target.connect(row.needs, typed).pipe(
        Effect.flatMap(({ role, transport }) => Wire.make(transport, { role, typed, limit })),
        Effect.flatMap((wire) => row.run(wire)),
        Effect.scoped,
        Effect.either,
        Effect.timed,
        Effect.map(([duration, outcome]) => ({
          row,
          typed,
          outcome: outcome._tag === "Right" ? "passed" : "failed",
          failure: outcome._tag === "Left" ? outcome.left : undefined,
          milliseconds: Duration.toMillis(duration)
        }))
      )
    : Effect.succeed({ row, typed, outcome: "skipped", failure: undefined, milliseconds: 0 })

/** Every row with the sessions it is for, typed before untyped. */
export const plan = (
  rows: ReadonlyArray<Row>,
  sessions: ReadonlyArray<boolean> = [true, false]
): ReadonlyArray<{ readonly row: Row; readonly typed: boolean }> =>
  rows.flatMap((row) => sessions.filter((typed) => runsOn(row, typed)).map((typed) => ({ row, typed })))
