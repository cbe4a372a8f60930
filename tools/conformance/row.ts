/** A row of the conformance table. */
import type * as Effect from "effect/Effect"
import type { Deviation } from "./failure.js"
import type { Wire } from "./wire.js"

/**
 * What the other end of the connection must be:
 *
 * - `acceptor`: takes every stream, sends back what it reads until FIN, then finishes the stream;
 * - `holder`: never takes a stream;
 * - `opener`: opens a stream (of any type on typed sessions), writes `hello`, finishes, and reads to the end;
 * - `repeater`: an opener that then opens the next one, as long as the session takes streams.
 */
export type Needs = "acceptor" | "holder" | "opener" | "repeater"

export interface Row {
  readonly id: string
  /** The section of `docs/PROTOCOL.md` that states the rule. */
  readonly section: string
  readonly level: "MUST" | "SHOULD"
  /** The rule in one sentence. */
  readonly rule: string
  readonly needs: Needs
  /** Rows for both kinds of sessions run once on each. */
  readonly sessions: "typed" | "untyped" | "both"
  readonly run: (wire: Wire) => Effect.Effect<void, Deviation>
}

type Fields = Partial<Pick<Row, "level" | "needs" | "sessions">> & Omit<Row, "id" | "level" | "needs" | "sessions">

/** A row; it is a MUST for acceptors on both kinds of sessions unless it says otherwise. */
export const row = (id: string, fields: Fields): Row => ({
  level: "MUST",
  needs: "acceptor",
  sessions: "both",
  ...fields,
  id
})

/** Whether a row is for such sessions. */
export const runsOn = (row: Row, typed: boolean): boolean =>
  row.sessions === "both" || row.sessions === (typed ? "typed" : "untyped")
