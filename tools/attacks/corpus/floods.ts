/** The same again and again, until it is too much. */
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import type { Attack } from "../attack.js"
import { atMost, ends, lives } from "../attack.js"
import * as Bytes from "../bytes.js"

const KIB = 1024
const MIB = 1024 * KIB
const ENDLESS = 1_000_000

/** Streams of which each has to be reset, or is by the peer: begun for nothing. The bounds leave room for slow machines. */
const resets = (
  id: string,
  what: string,
  parts: (id: number) => ReadonlyArray<Uint8Array>,
  bounds: { readonly accepted: number; readonly resets: number }
): Attack => ({
  id,
  what,
  run: (peer) => peer.flood(100_000, (n) => parts(Bytes.odd(n))),
  outcome: ends(10),
  check: (seen) => atMost(seen.resets.size, bounds.resets),
  stats: (stats) => atMost(stats.accepted, bounds.accepted),
  heap: MIB
})

/** A type, and more than the window has room for. */
const overfull = Bytes.join(Bytes.uint32s(0), Bytes.zeros(Bytes.WINDOW - 3))

export const floods: ReadonlyArray<Attack> = [
  resets("A19", "streams opened and reset", (id) => [Bytes.syn(id), Bytes.rst(id, 6)], { accepted: 4096, resets: 0 }),
  resets("A20", "streams opened, with WNDINC 0", (id) => [Bytes.syn(id), Bytes.grant(id, 0)], {
    accepted: 4096,
    resets: 4096
  }),
  resets("A20", "DATA after FIN", (id) => [Bytes.syn(id), Bytes.fin(id), Bytes.data(id, Bytes.zeros(1))], {
    accepted: 4096,
    resets: 4096
  }),
  {
    id: "A20",
    what: "SYNs with a window and one byte",
    options: { resetBudget: { burst: 200, perSecond: 33 } },
    run: (peer) => peer.flood(300, (n) => [Bytes.data(Bytes.odd(n), overfull, Bytes.SYN)]),
    outcome: ends(10),
    check: (seen) => atMost(seen.resets.size, 200),
    stats: (stats) => assert.strictEqual(stats.accepted, 0),
    heap: MIB,
    // over a real connection it may be too slow to be too much
    virtual: true
  },
  {
    id: "A20",
    what: "heartbeat streams that end with FIN",
    run: (peer) => {
      const beat = Bytes.uint32s(Bytes.HEARTBEAT)
      // where one is there already, the others are refused
      return Effect.zipRight(
        peer.send(Bytes.fin(peer.fenceId)),
        peer.flood(100_000, (n) => [Bytes.data(Bytes.odd(n), beat, Bytes.SYN | Bytes.FIN)])
      )
    },
    outcome: ends(10),
    check: (seen) => atMost(seen.resets.size, 4096),
    heap: MIB
  },
  resets("A20", "streams that end before their type", (id) => [Bytes.data(id, undefined, Bytes.SYN | Bytes.FIN)], {
    accepted: 0,
    resets: 4096
  }),
  resets("A21", "DATA on streams that were never opened", (id) => [Bytes.data(id, Bytes.hex("61"))], {
    accepted: 0,
    resets: 4096
  }),
  {
    id: "A21",
    what: "two DATA on each of 100 streams that were never opened",
    run: (peer) => peer.flood(200, (n) => [Bytes.data(Bytes.odd(n >> 1), Bytes.hex("61"))]),
    outcome: lives({ 4: 100 }),
    heap: 64 * KIB
  },
  {
    id: "A23",
    what: "increments of 1 for bytes that were never sent",
    run: (peer) =>
      Effect.zipRight(
        peer.send(Bytes.syn(3)),
        peer.flood(ENDLESS, () => [Bytes.grant(3, 1)])
      ),
    outcome: ends(10),
    heap: 64 * KIB
  },
  {
    id: "A23",
    what: "an increment for each byte that was sent, and 1 000 more",
    run: (peer) =>
      Effect.gen(function* () {
        yield* peer.send(Bytes.syn(3, Bytes.zeros(2000)))
        yield* peer.until((seen) => seen.answer(3).bytes === 2000)
        yield* peer.flood(3000, () => [Bytes.grant(3, 1)])
      }),
    outcome: lives(),
    heap: 64 * KIB
  },
  {
    id: "A24",
    what: "RSTs on streams that were never opened",
    run: (peer) => peer.flood(ENDLESS, (n) => [Bytes.rst(Bytes.odd(n), 0)]),
    outcome: ends(10),
    check: (seen) => assert.strictEqual(seen.resets.size, 0),
    heap: 64 * KIB
  },
  {
    id: "A24",
    what: "empty DATA",
    run: (peer) =>
      Effect.zipRight(
        peer.send(Bytes.syn(3)),
        peer.flood(ENDLESS, () => [Bytes.data(3)])
      ),
    outcome: ends(10),
    heap: 64 * KIB
  },
  {
    id: "A24",
    what: "GOAWAYs",
    run: (peer) => peer.flood(ENDLESS, () => [Bytes.goAway(0, 0)]),
    outcome: ends(10),
    heap: 64 * KIB
  },
  {
    id: "A17",
    what: "endless streams that the application never accepts",
    app: "hold",
    run: (peer) => peer.flood(ENDLESS, (n) => [Bytes.syn(Bytes.odd(n))]),
    outcome: ends(10),
    stats: (stats) => assert.strictEqual(stats.accepted, 1024),
    heap: MIB
  },
  {
    id: "A17",
    what: "3 000 streams that the application never accepts, with DATA on each",
    app: "hold",
    run: (peer) =>
      Effect.gen(function* () {
        yield* peer.flood(3000, (n) => [Bytes.syn(Bytes.odd(n))])
        yield* peer.flood(3000, (n) => [Bytes.data(Bytes.odd(n), Bytes.hex("7a"))])
      }),
    outcome: lives({ 5: 1976 }),
    stats: (stats) => assert.deepStrictEqual([stats.accepted, stats.heldBytes], [1024, 1024]),
    heap: MIB
  },
  {
    id: "A40",
    what: "1 000 heartbeat streams",
    run: (peer) => peer.flood(1000, (n) => [Bytes.syn(Bytes.odd(n), Bytes.hex("00000001"), Bytes.HEARTBEAT)]),
    outcome: lives({ 5: 1000 }),
    stats: (stats) => assert.deepStrictEqual([stats.inboundStreams, stats.accepted], [0, 0]),
    heap: 128 * KIB
  },
  {
    id: "A40",
    what: "60 000 heartbeats at once",
    run: (peer) =>
      Effect.zipRight(
        peer.flood(60_000, (n) => [Bytes.data(peer.fenceId, Bytes.uint32s(n))]),
        peer.until((seen) => seen.answer(peer.fenceId).bytes >= 4 * 60_001)
      ),
    outcome: lives(),
    heap: 64 * KIB
  },
  {
    id: "A50",
    what: "to a client: 10 000 streams that it never accepts",
    role: "client",
    app: "hold",
    run: (peer) => peer.flood(10_000, (n) => [Bytes.syn(4 + 2 * n)]),
    outcome: ends(10),
    stats: (stats) => assert.strictEqual(stats.accepted, 1024),
    heap: MIB
  },
  {
    id: "A50",
    what: "to a client: 2 000 streams that it never accepts",
    role: "client",
    app: "hold",
    run: (peer) => peer.flood(2000, (n) => [Bytes.syn(4 + 2 * n)]),
    outcome: lives({ 5: 976 }),
    stats: (stats) => assert.strictEqual(stats.accepted, 1024),
    heap: MIB
  }
]
