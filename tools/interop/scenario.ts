/** A row of the matrix, and the steps that scenarios share. */
import { assert } from "@effect/vitest"
import type { MuxadoError, Session } from "effect-muxado"
import type { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Cell, CellOptions, Role } from "./cell.js"
import { makeCell } from "./cell.js"
import type { Digest } from "./pattern.js"
import { digestOf, exchangePattern } from "./pattern.js"
import type { PeerName } from "./peers.js"

export interface Scenario {
  readonly name: string
  /** In seconds; 30 unless told otherwise. Only a failure reaches it. */
  readonly limit?: number
  /** `role` is the peer's. */
  readonly run: (peer: PeerName, role: Role) => Effect.Effect<void, unknown, Scope.Scope>
}

/** A scenario of one connection. */
export const scenario = (
  name: string,
  options: CellOptions & { readonly limit?: number },
  body: (cell: Cell) => Effect.Effect<void, unknown, Scope.Scope>
): Scenario => ({
  name,
  ...(options.limit === undefined ? {} : { limit: options.limit }),
  run: (peer, role) => Effect.flatMap(makeCell(peer, role, options), body)
})

/** Answers the peer's streams until the scope closes. */
export const serving = (
  session: Session.SessionService,
  handler: (stream: MuxStream.MuxStream) => Effect.Effect<void, unknown>
): Effect.Effect<void, never, Scope.Scope> => Effect.asVoid(Effect.forkScoped(session.serve(handler)))

export const assertPattern = (digest: Digest, seed: number, length: number): void => {
  assert.deepStrictEqual(digest, digestOf(seed, length))
}

/** Opens a stream, sends Pattern(seed, length) and wants it back; again where the peer is sure that it did nothing. */
export const echoed = (
  session: Session.SessionService,
  seed: number,
  length: number,
  type?: number
): Effect.Effect<void, MuxadoError.MuxadoError> =>
  session
    .withStream((stream) => exchangePattern(stream, seed, length), type === undefined ? {} : { type })
    .pipe(
      Effect.retry({ times: 1000, while: (error) => error._tag === "StreamReset" && error.processed === "no" }),
      Effect.map((digest) => assertPattern(digest, seed, length))
    )

/** Looks again and again, for at most 20 seconds, until it holds. */
export const eventually = <E>(what: string, condition: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    for (let patience = 1000; patience > 0; patience--) {
      if (yield* condition) return
      yield* Effect.sleep("20 millis")
    }
    return assert.fail(`never happened: ${what}`)
  })
