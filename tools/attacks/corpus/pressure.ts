/** A peer that takes little, or nothing. */
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import type { Attack } from "../attack.js"
import { atMost, drops, ends, lives } from "../attack.js"
import * as Bytes from "../bytes.js"
import type { Peer } from "../peer.js"

const KIB = 1024
const MIB = 1024 * KIB

/** All that a stream may carry at first, in frames of 16 KiB. */
const window = (id: number): ReadonlyArray<Uint8Array> => [
  Bytes.syn(id),
  ...Array.from({ length: 15 }, () => Bytes.data(id, Bytes.zeros(16 * KIB))),
  Bytes.data(id, Bytes.zeros(16 * KIB - 4))
]

const dribble = (peer: Peer): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: 84 }), () => peer.send(Bytes.grant(3, 1)), { discard: true }).pipe(
    Effect.zipRight(Effect.sleep(1))
  )

export const pressure: ReadonlyArray<Attack> = [
  {
    id: "A42",
    what: "32 streams that want 256 KiB each from a peer that never reads",
    run: (peer) =>
      Effect.gen(function* () {
        yield* peer.stopReading
        yield* peer.flood(32, (n) => window(Bytes.odd(n)))
        const resume = yield* peer.stopReading
        yield* Effect.sleep("60 seconds")
        yield* resume
      }),
    outcome: drops("SessionDead"),
    stats: (stats) => assert.strictEqual(stats.queuedBytes, 0),
    heap: 10 * MIB,
    virtual: true
  },
  {
    id: "A42",
    what: "32 streams that want 256 KiB each from a peer that reads later",
    run: (peer) =>
      Effect.gen(function* () {
        const resume = yield* peer.stopReading
        yield* peer.flood(32, (n) => window(Bytes.odd(n)))
        yield* Effect.sleep("200 millis")
        yield* resume
        yield* peer.until((seen) => seen.dataBytes >= 32 * (Bytes.WINDOW - 4))
      }),
    outcome: lives(),
    heap: 10 * MIB
  },
  {
    id: "A42",
    what: "streams that have to be reset, from a peer that reads nothing",
    options: { resetBudget: { burst: 1_000_000_000 } },
    run: (peer) =>
      Effect.gen(function* () {
        const resume = yield* peer.stopReading
        yield* peer.flood(100_000, (n) => [Bytes.syn(Bytes.odd(n)), Bytes.grant(Bytes.odd(n), 0)])
        yield* resume
      }),
    outcome: ends(10),
    heap: 2 * MIB,
    virtual: true
  },
  {
    id: "A43",
    what: "a peer that grants one byte at a time",
    run: (peer) =>
      Effect.gen(function* () {
        // the echo has used up the window, and has 4 KiB more to say
        yield* peer.flood(1, () => window(3))
        yield* peer.until((seen) => seen.answer(3).bytes === Bytes.WINDOW - 4 && (seen.granted.get(3) ?? 0) > 4 * KIB)
        yield* peer.send(Bytes.data(3, Bytes.zeros(4 * KIB)))
        yield* Effect.forEach(Array.from({ length: 50 }), () => dribble(peer), { discard: true })
        yield* peer.until((seen) => seen.answer(3).bytes === Bytes.WINDOW - 4 + 4 * KIB)
      }),
    outcome: lives(),
    check: (seen) => {
      // at the most one for a KiB, and one whenever 5 ms have passed
      atMost(seen.dataFrames - seen.answer(1).bytes / 4, 100)
    },
    heap: 128 * KIB
  }
]
