/** An attack, and its expected result. It does not depend on a test runner. */
import type { MuxadoError, Session, SessionOptions } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import type { Peer } from "./peer.js"
import type { Seen } from "./seen.js"

/** The session says goodbye with this code, and ends. */
interface Ends {
  readonly _tag: "Ends"
  readonly code: number
}

/** The session lives, and has answered with RSTs: how many with which code. */
interface Lives {
  readonly _tag: "Lives"
  readonly resets: Readonly<Record<number, number>>
}

/** The session is given up: it ends without a word, with this error. */
interface Drops {
  readonly _tag: "Drops"
  readonly error: MuxadoError.SessionError["_tag"]
}

export type Outcome = Ends | Lives | Drops

export interface Attack {
  readonly id: string
  readonly what: string
  /** Of the session under attack: a server unless said otherwise. */
  readonly role?: "client"
  /** What its application does: it echoes every stream, or accepts none. */
  readonly app?: "hold"
  /** Where the defaults are not what is attacked. */
  readonly options?: SessionOptions
  readonly run: (peer: Peer) => Effect.Effect<unknown>
  readonly outcome: Outcome
  /** What must be so as well, at the end. */
  readonly check?: (seen: Seen) => void
  readonly stats?: (stats: Session.SessionStats) => void
  /** The bytes that the session may hold on to meanwhile, at most. */
  readonly heap: number
  /** It takes long, or the peer has to know how much the medium holds: only over a simulated link. */
  readonly virtual?: true
}

export const ends = (code: number): Ends => ({ _tag: "Ends", code })

export const lives = (resets: Readonly<Record<number, number>> = {}): Lives => ({ _tag: "Lives", resets })

export const drops = (error: Drops["error"]): Drops => ({ _tag: "Drops", error })

/** Fails when it is more. */
export const atMost = (actual: number, most: number): void =>
  assert.ok(actual <= most, `${actual} is more than ${most}`)

/** Attacks, and waits until it is clear what came of it. */
export const carryOut = (attack: Attack, peer: Peer): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* peer.fence
    yield* attack.run(peer)
    switch (attack.outcome._tag) {
      case "Lives":
        return yield* peer.fence
      case "Ends":
        return yield* peer.until(() => false)
      case "Drops":
        return yield* peer.ended
    }
  })

/** Fails unless it came as it must. */
export const judge = (attack: Attack, { seen }: Peer): void => {
  const { outcome } = attack
  switch (outcome._tag) {
    case "Ends":
      assert.strictEqual(seen.goAway?.code, outcome.code, seen.goAway?.detail)
      break
    case "Lives":
      assert.strictEqual(seen.goAway, undefined, seen.goAway?.detail)
      assert.strictEqual(seen.ended, false, "the transport has ended")
      assert.deepStrictEqual(seen.resetsByCode, outcome.resets)
      break
    case "Drops":
      assert.strictEqual(seen.goAway, undefined, seen.goAway?.detail)
      assert.strictEqual(seen.ended, true)
  }
  attack.check?.(seen)
}

/** The outcome in words, for people. */
export const inWords = (outcome: Outcome): string => {
  if (outcome._tag === "Ends") return `GOAWAY ${outcome.code}`
  if (outcome._tag === "Drops") return `the session ends: ${outcome.error}`
  const resets = Object.entries(outcome.resets).map(([code, count]) => `RST ${code}${count > 1 ? ` x ${count}` : ""}`)
  return [...resets, "the session lives"].join(", ")
}
