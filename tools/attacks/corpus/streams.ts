/** What breaks the rules of streams: ids, windows, ends. */
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import type { Attack } from "../attack.js"
import { atMost, drops, ends, lives } from "../attack.js"
import * as Bytes from "../bytes.js"

const KIB = 1024

const many = <A>(count: number, make: (n: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, n) => make(n))

/** The stream is open at the other side, and has nothing to say. */
const opened = Bytes.syn(3)

export const streams: ReadonlyArray<Attack> = [
  {
    id: "A8",
    what: "WNDINC 0 on a live stream",
    run: (peer) => peer.send(opened, Bytes.grant(3, 0)),
    outcome: lives({ 1: 1 }),
    heap: 64 * KIB
  },
  {
    id: "A8",
    what: "WNDINC 0 on 1 000 streams that were never opened",
    run: (peer) => peer.flood(1000, (n) => [Bytes.grant(Bytes.odd(n), 0)]),
    outcome: lives(),
    heap: 64 * KIB
  },
  {
    id: "A8",
    what: "WNDINC beyond 2^31-1",
    run: (peer) => peer.send(opened, Bytes.grant(3, 0x7fffffff)),
    outcome: lives({ 3: 1 }),
    heap: 64 * KIB
  },
  {
    id: "A11",
    what: "SYN with an id of the wrong side",
    run: (peer) => peer.send(Bytes.syn(2)),
    outcome: ends(1),
    heap: 64 * KIB
  },
  {
    id: "A12",
    what: "a second SYN on a live stream",
    run: (peer) => peer.send(Bytes.syn(9, Bytes.hex("6f6e65")), Bytes.syn(9, Bytes.hex("74776f"))),
    outcome: ends(1),
    heap: 64 * KIB
  },
  {
    id: "A14",
    what: "ids that leave more gaps than are remembered",
    run: (peer) => peer.flood(2000, (n) => [Bytes.data(0x7fffffff - 4 * n, Bytes.uint32s(0), Bytes.SYN | Bytes.FIN)]),
    outcome: ends(10),
    stats: (stats) => atMost(stats.accepted, 1024),
    heap: 1024 * KIB
  },
  {
    id: "A16",
    what: "1 025 live streams",
    run: (peer) => peer.send(...many(1025, (n) => Bytes.syn(Bytes.odd(n)))),
    outcome: lives({ 5: 1 }),
    check: (seen) => assert.strictEqual(seen.resets.get(Bytes.odd(1024)), 5),
    stats: (stats) => assert.deepStrictEqual([stats.inboundStreams, stats.tableSize], [1024, 1025]),
    heap: 1024 * 16 * KIB
  },
  {
    id: "A16",
    what: "257 live streams with a limit of 256",
    options: { maxInboundStreams: 256 },
    run: (peer) => peer.send(...many(257, (n) => Bytes.syn(Bytes.odd(n)))),
    outcome: lives({ 5: 1 }),
    check: (seen) => assert.strictEqual(seen.resets.get(Bytes.odd(256)), 5),
    stats: (stats) => assert.deepStrictEqual([stats.inboundStreams, stats.tableSize], [256, 257]),
    heap: 256 * 16 * KIB
  },
  {
    id: "A17",
    what: "200 streams that the application never accepts, and DATA on each refused one",
    app: "hold",
    options: { acceptBacklog: 128 },
    run: (peer) =>
      Effect.gen(function* () {
        yield* peer.send(...many(200, (n) => Bytes.syn(Bytes.odd(n), Bytes.hex("7a"))))
        yield* peer.fence
        yield* peer.send(...many(72, (n) => Bytes.data(Bytes.odd(128 + n), Bytes.hex("7a7a"))))
      }),
    outcome: lives({ 9: 72 }),
    stats: (stats) => assert.deepStrictEqual([stats.backlog, stats.inboundStreams, stats.heldBytes], [128, 128, 128]),
    heap: 512 * KIB
  },
  {
    id: "A18",
    what: "200 streams that the application never accepts, and a window of bytes on each refused one",
    app: "hold",
    options: { acceptBacklog: 128 },
    run: (peer) =>
      Effect.gen(function* () {
        yield* peer.send(...many(200, (n) => Bytes.syn(Bytes.odd(n), Bytes.hex("7a"))))
        yield* peer.fence
        yield* peer.flood(72 * 16, (n) => [Bytes.data(Bytes.odd(128 + (n >> 4)), Bytes.zeros(16 * KIB))])
      }),
    outcome: lives({ 9: 72 }),
    stats: (stats) => assert.deepStrictEqual([stats.backlog, stats.heldBytes], [128, 128]),
    heap: 512 * KIB
  },
  {
    id: "A29",
    what: "a window of bytes that the application never reads, and one byte more",
    app: "hold",
    run: (peer) =>
      peer.send(
        Bytes.syn(3),
        ...many(15, () => Bytes.data(3, Bytes.zeros(16 * KIB))),
        Bytes.data(3, Bytes.zeros(16 * KIB - 4)),
        Bytes.data(3, Bytes.zeros(1))
      ),
    outcome: lives({ 3: 1 }),
    stats: (stats) => assert.strictEqual(stats.heldBytes, Bytes.WINDOW - 4),
    heap: (256 + 64) * KIB
  },
  {
    id: "A34",
    what: "FIN, FIN, FIN",
    run: (peer) => peer.send(opened, Bytes.fin(3), Bytes.fin(3), Bytes.fin(3)),
    outcome: lives(),
    heap: 64 * KIB
  },
  {
    id: "A35",
    what: "RST, then 1 000 DATA after it",
    run: (peer) => peer.send(opened, Bytes.rst(3, 6), ...many(1000, () => Bytes.data(3, Bytes.hex("61")))),
    outcome: lives(),
    heap: 64 * KIB
  },
  {
    id: "A37",
    what: "a stream that ends before its type, then a good one",
    run: (peer) =>
      Effect.zipRight(
        peer.send(Bytes.hex("000000 13 00000003"), Bytes.syn(5, Bytes.hex("61"))),
        peer.until((seen) => seen.answer(5).bytes === 1)
      ),
    outcome: lives({ 1: 1 }),
    check: (seen) => assert.strictEqual(seen.resets.get(3), 1),
    heap: 64 * KIB
  },
  {
    id: "A38",
    what: "a stream without a type for 10 seconds, and a good stream directly after it",
    run: (peer) =>
      Effect.gen(function* () {
        yield* peer.send(Bytes.hex("000000 12 00000003"), Bytes.syn(5, Bytes.hex("61")))
        yield* peer.until((seen) => seen.answer(5).bytes === 1)
        yield* Effect.sync(() => assert.strictEqual(peer.seen.resets.size, 0))
        yield* Effect.sleep("10 seconds")
      }),
    outcome: lives({ 5: 1 }),
    check: (seen) => assert.strictEqual(seen.resets.get(3), 5),
    heap: 64 * KIB,
    virtual: true
  },
  {
    id: "A48",
    what: "the end within a header",
    run: (peer) => Effect.zipRight(peer.send(opened, Bytes.hex("000005")), peer.end),
    outcome: drops("TransportFailed"),
    heap: 64 * KIB
  },
  {
    id: "A48",
    what: "the end within a payload",
    run: (peer) => Effect.zipRight(peer.send(opened, Bytes.header(5, Bytes.DATA, 0, 3), Bytes.hex("61")), peer.end),
    outcome: drops("TransportFailed"),
    heap: 64 * KIB
  },
  {
    id: "A48",
    what: "the end between frames, without GOAWAY",
    run: (peer) => Effect.zipRight(peer.send(opened), peer.end),
    outcome: drops("TransportFailed"),
    heap: 64 * KIB
  }
]
