/** Frames that are none, and frames of any size. */
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import type { Attack } from "../attack.js"
import { drops, ends, lives } from "../attack.js"
import * as Bytes from "../bytes.js"
import { sumOf } from "../seen.js"

const KIB = 1024

const malformed = (id: string, what: string, digits: string, code: number): Attack => ({
  id,
  what,
  run: (peer) => peer.send(Bytes.hex(digits)),
  outcome: ends(code),
  heap: 64 * KIB
})

/** A frame of 16 MiB, piece by piece. */
const longest = (type: number, flags: number, id: number) => ({
  header: Bytes.header(Bytes.LONGEST, type, flags, id),
  body: { count: 512, piece: (round: number) => Bytes.zeros(round === 511 ? 32 * KIB - 1 : 32 * KIB) }
})

const sendLongest =
  (type: number, flags: number, id: number): Attack["run"] =>
  (peer) => {
    const { body, header } = longest(type, flags, id)
    return Effect.zipRight(
      peer.send(header),
      peer.flood(body.count, (round) => [body.piece(round)])
    )
  }

export const framing: ReadonlyArray<Attack> = [
  malformed("A1", "DATA on stream 0", "000001 10 00000000 61", 1),
  malformed("A2", "RST on stream 0", "000004 00 00000000 00000006", 1),
  malformed("A3", "WNDINC on stream 0", "000004 20 00000000 00000001", 1),
  malformed("A4", "GOAWAY on a stream", "000008 30 00000003 0000000000000000", 1),
  malformed("A5", "RST of 3 bytes, announced", "000003 00 00000003", 8),
  malformed("A5", "RST of 0 bytes", "000000 00 00000003", 8),
  malformed("A5", "RST of 5 bytes, announced", "000005 00 00000003", 8),
  malformed("A5", "RST of 16 MiB, announced", "FFFFFF 00 00000003", 8),
  malformed("A6", "WNDINC of 5 bytes", "000005 20 00000003 0000000001", 8),
  malformed("A7", "GOAWAY of 7 bytes", "000007 30 00000000 00000000000000", 8),
  {
    id: "A26",
    what: "GOAWAY with 16 MiB of text",
    run: sendLongest(Bytes.GOAWAY, 0, 0),
    outcome: lives(),
    heap: 64 * KIB
  },
  {
    id: "A27",
    what: "a frame of an unknown type, of 16 MiB",
    run: sendLongest(15, 0, 3),
    outcome: lives(),
    heap: 64 * KIB
  },
  {
    id: "A27",
    what: "endless empty frames of an unknown type",
    run: (peer) => peer.flood(1_000_000, () => [Bytes.hex("000000 40 00000000")]),
    outcome: ends(10),
    heap: 64 * KIB
  },
  {
    id: "A28",
    what: "a SYN of 16 MiB, while another stream is served",
    run: (peer) =>
      Effect.gen(function* () {
        yield* peer.send(Bytes.syn(5, Bytes.hex("61")))
        yield* sendLongest(Bytes.DATA, Bytes.SYN, 3)(peer)
        yield* peer.send(Bytes.data(5, Bytes.hex("62"), Bytes.FIN))
        yield* peer.until((seen) => seen.answer(5).finished)
      }),
    outcome: lives({ 3: 1 }),
    check: (seen) => assert.strictEqual(seen.answer(5).sum, sumOf(Bytes.hex("6162"))),
    heap: 64 * KIB
  },
  {
    id: "A28",
    what: "DATA of 16 MiB on a live stream",
    run: (peer) => Effect.zipRight(peer.send(Bytes.syn(3)), sendLongest(Bytes.DATA, 0, 3)(peer)),
    outcome: lives({ 3: 1 }),
    heap: 64 * KIB
  },
  {
    id: "A30",
    what: "7 bytes of a header, then silence",
    run: (peer) => Effect.zipRight(peer.send(Bytes.hex("00000512000000")), peer.ended),
    outcome: drops("SessionDead"),
    heap: 8 * KIB,
    virtual: true
  },
  {
    id: "A32",
    what: "10 000 frames of 1 byte in one chunk",
    run: (peer) => {
      const streams = Array.from({ length: 100 }, (_, n) => Bytes.odd(n))
      const frames = streams.map((id) => Bytes.syn(id))
      for (let n = 0; n < 98; n++) frames.push(...streams.map((id) => Bytes.data(id, Uint8Array.of(id + n))))
      frames.push(...streams.map((id) => Bytes.fin(id)))
      return Effect.zipRight(
        peer.send(...frames),
        peer.until((seen) => streams.every((id) => seen.answer(id).finished))
      )
    },
    outcome: lives(),
    check: (seen) => {
      for (let n = 0; n < 100; n++) {
        const id = Bytes.odd(n)
        const sent = Uint8Array.from({ length: 98 }, (_, i) => id + i)
        const { bytes, finished, sum } = seen.answer(id)
        assert.deepStrictEqual({ bytes, finished, sum }, { bytes: 98, finished: true, sum: sumOf(sent) })
      }
    },
    heap: 256 * KIB
  },
  {
    id: "A32",
    what: "a session of one byte at a time",
    run: (peer) => {
      const bytes = Bytes.join(Bytes.syn(3, Bytes.hex("6162")), Bytes.data(3, Bytes.hex("63")), Bytes.fin(3))
      return Effect.zipRight(
        Effect.forEach(bytes, (byte) => peer.send(Uint8Array.of(byte)), { discard: true }),
        peer.until((seen) => seen.answer(3).finished)
      )
    },
    outcome: lives(),
    check: (seen) => assert.strictEqual(seen.answer(3).sum, sumOf(Bytes.hex("616263"))),
    heap: 64 * KIB
  }
]
