import { assert, describe, it } from "@effect/vitest"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import type { Data, InboundFrame } from "../../src/protocol/wire/frame.js"
import { concat, fromHex, pattern, toHex } from "../support/bytes.js"

const SENTINEL = "0000042000000003 00040000"
const sentinel: InboundFrame = { _tag: "WindowIncrement", streamId: 3, increment: 262_144 }

const decode = (hex: string): ReadonlyArray<InboundFrame> => new Decoder().push(fromHex(hex))

const whole = (hex: string, flags: { syn?: boolean; fin?: boolean } = {}, streamId = 3): Data => ({
  _tag: "Data",
  streamId,
  syn: flags.syn === true,
  fin: flags.fin === true,
  length: hex.length / 2,
  payload: fromHex(hex),
  first: true,
  last: true
})

const malformed = (code: number, type: number, streamId: number, length: number, message: string): InboundFrame => ({
  _tag: "Malformed",
  code,
  type,
  streamId,
  length,
  message
})

describe("the test vectors of the wire, each followed by another frame", () => {
  const vectors: ReadonlyArray<readonly [string, string, InboundFrame]> = [
    ["DATA+SYN+FIN", "0000051300000003 68656c6c6f", whole("68656c6c6f", { syn: true, fin: true })],
    ["DATA+SYN", "0000051200000003 68656c6c6f", whole("68656c6c6f", { syn: true })],
    ["DATA+FIN, empty", "0000001100000003", whole("", { fin: true })],
    ["DATA", "0000011001020304 61", whole("61", {}, 0x01020304)],
    ["DATA, empty", "0000001000000003", whole("")],
    ["RST", "0000040000000003 00000006", { _tag: "Rst", streamId: 3, code: 6 }],
    [
      "RST with Rust's unknown code",
      "0000040001020304 ffffffff",
      { _tag: "Rst", streamId: 0x01020304, code: 2 ** 32 - 1 }
    ],
    ["WNDINC", "0000042000000003 00040000", { _tag: "WindowIncrement", streamId: 3, increment: 262_144 }],
    ["WNDINC 0, which is for the stream to judge", "0000042000000003 00000000", { ...sentinel, increment: 0 }],
    [
      "GOAWAY",
      "00000a3000000000 00000003 00000001 6f68",
      { _tag: "GoAway", lastStreamId: 3, code: 1, debug: fromHex("6f68") }
    ],
    [
      "GOAWAY without text",
      "0000083000000000 01020304 f5060708",
      { _tag: "GoAway", lastStreamId: 0x01020304, code: 0xf5060708, debug: new Uint8Array(0) }
    ],
    ["unknown, empty", "000000f000000000", { _tag: "Unknown", type: 15, flags: 0, streamId: 0, length: 0 }],
    [
      "unknown, with payload",
      "0000034a00000007 112233",
      { _tag: "Unknown", type: 4, flags: 10, streamId: 7, length: 3 }
    ]
  ]

  it.each(vectors)("%s", (_, hex, frame) => {
    assert.deepStrictEqual(decode(hex + SENTINEL), [frame, sentinel])
  })

  it.each(vectors)("%s, byte by byte", (_, hex, frame) => {
    const decoder = new Decoder()
    const frames = [...fromHex(hex + SENTINEL)].flatMap((byte) => decoder.push(Uint8Array.of(byte)))
    assert.deepStrictEqual(
      frames.filter((piece) => piece._tag !== "Data"),
      [frame, sentinel].filter((f) => f._tag !== "Data")
    )
    if (frame._tag !== "Data") return
    const pieces = frames.filter((piece) => piece._tag === "Data")
    assert.deepStrictEqual(concat(pieces.map((piece) => piece.payload)), frame.payload)
    assert.isTrue(pieces.every((piece) => piece.length === frame.length && piece.syn === frame.syn))
  })
})

describe("reserved bits of a frame", () => {
  it("of the stream id are masked", () => {
    assert.deepStrictEqual(decode("0000011080000003 61" + SENTINEL), [whole("61"), sentinel])
    assert.deepStrictEqual(decode("00000400ffffffff 00000006"), [{ _tag: "Rst", streamId: 0x7fffffff, code: 6 }])
  })

  it("of an increment and of a last stream id are masked, but not of a code", () => {
    assert.deepStrictEqual(decode("0000042000000003 80040000"), [sentinel])
    assert.deepStrictEqual(decode("0000083000000000 80000003 80000001" + SENTINEL), [
      { _tag: "GoAway", lastStreamId: 3, code: 0x80000001, debug: new Uint8Array(0) },
      sentinel
    ])
  })

  it("stream 0 with the reserved bit is still stream 0", () => {
    assert.deepStrictEqual(decode("0000011080000000 61"), [malformed(1, 1, 0, 1, "DATA on stream 0")])
    assert.deepStrictEqual(decode("0000083080000000 0000000000000000")[0]?._tag, "GoAway")
  })

  it("undefined flags are ignored", () => {
    assert.deepStrictEqual(decode("0000011c00000003 61" + SENTINEL), [whole("61"), sentinel])
    assert.deepStrictEqual(decode("0000040f00000003 00000006"), [{ _tag: "Rst", streamId: 3, code: 6 }])
    assert.deepStrictEqual(decode("0000042f00000003 00040000"), [sentinel])
    assert.strictEqual(decode("0000083f00000000 0000000000000000")[0]?._tag, "GoAway")
  })
})

describe("faults are detected from the header, before any payload", () => {
  const faults: ReadonlyArray<readonly [string, string, InboundFrame]> = [
    ["DATA on stream 0", "0000011000000000", malformed(1, 1, 0, 1, "DATA on stream 0")],
    ["empty DATA on stream 0", "0000001300000000", malformed(1, 1, 0, 0, "DATA on stream 0")],
    ["RST on stream 0", "0000040000000000", malformed(1, 0, 0, 4, "RST on stream 0")],
    ["WNDINC on stream 0", "0000042000000000", malformed(1, 2, 0, 4, "WNDINC on stream 0")],
    ["GOAWAY on stream 3", "0000083000000003", malformed(1, 3, 3, 8, "GOAWAY on stream 3")],
    ["RST of 3", "0000030000000003", malformed(8, 0, 3, 3, "RST of 3 bytes instead of 4")],
    ["RST of 0", "0000000000000003", malformed(8, 0, 3, 0, "RST of 0 bytes instead of 4")],
    ["RST of 5", "0000050000000003", malformed(8, 0, 3, 5, "RST of 5 bytes instead of 4")],
    ["RST of 16 MiB - 1", "ffffff0000000003", malformed(8, 0, 3, 0xffffff, "RST of 16777215 bytes instead of 4")],
    ["WNDINC of 5", "0000052000000003", malformed(8, 2, 3, 5, "WNDINC of 5 bytes instead of 4")],
    ["WNDINC of 0", "0000002000000003", malformed(8, 2, 3, 0, "WNDINC of 0 bytes instead of 4")],
    ["GOAWAY of 7", "0000073000000000", malformed(8, 3, 0, 7, "GOAWAY of 7 bytes, less than 8")],
    ["GOAWAY of 0, as Rust's announces", "0000003000000000", malformed(8, 3, 0, 0, "GOAWAY of 0 bytes, less than 8")],
    ["a wrong stream before a wrong length", "0000033000000005", malformed(1, 3, 5, 3, "GOAWAY on stream 5")]
  ]

  it.each(faults)("%s", (_, hex, fault) => {
    const decoder = new Decoder()
    const header = fromHex(hex)
    assert.deepStrictEqual(decoder.push(header.subarray(0, 7)), [])
    assert.isTrue(decoder.midFrame)
    assert.deepStrictEqual(decoder.push(header.subarray(7)), [fault])
    assert.isFalse(decoder.midFrame)
  })

  it.each(faults)("%s: what came before it counts, nothing after it does", (_, hex, fault) => {
    const decoder = new Decoder()
    assert.deepStrictEqual(decoder.push(fromHex(SENTINEL + hex + SENTINEL + SENTINEL)), [sentinel, fault])
    assert.isFalse(decoder.midFrame)
    assert.deepStrictEqual(decoder.push(fromHex(SENTINEL)), [])
    assert.deepStrictEqual(decoder.push(fromHex(hex)), [])
    assert.isFalse(decoder.midFrame)
  })
})

describe("a large frame", () => {
  const LENGTH = 0xffffff
  const chunk = pattern(65_536)

  it("of DATA is returned in pieces, by reference", () => {
    const decoder = new Decoder()
    assert.deepStrictEqual(decoder.push(fromHex("ffffff1200000003")), [
      { ...whole("", { syn: true }), length: LENGTH, last: false }
    ])
    let left = LENGTH
    while (left > 0) {
      const bytes = chunk.subarray(0, Math.min(left, chunk.length))
      left -= bytes.length
      const [piece, ...more] = decoder.push(bytes)
      assert.lengthOf(more, 0)
      assert(piece?._tag === "Data")
      assert.strictEqual(piece.payload, bytes)
      assert.strictEqual(piece.length, LENGTH)
      assert.isTrue(piece.syn)
      assert.isFalse(piece.first)
      assert.strictEqual(piece.last, left === 0)
      assert.strictEqual(decoder.midFrame, left > 0)
    }
    assert.deepStrictEqual(decoder.push(fromHex(SENTINEL)), [sentinel])
  })

  it("of unknown type is skipped, and returned once", () => {
    const decoder = new Decoder()
    const seen = [...decoder.push(fromHex("fffffff000000003"))]
    assert.deepStrictEqual(seen, [{ _tag: "Unknown", type: 15, flags: 0, streamId: 3, length: LENGTH }])
    for (let left = LENGTH; left > 0; left -= chunk.length) seen.push(...decoder.push(chunk.subarray(0, left)))
    assert.lengthOf(seen, 1)
    assert.isFalse(decoder.midFrame)
    assert.deepStrictEqual(decoder.push(fromHex(SENTINEL)), [sentinel])
  })

  it("of GOAWAY keeps the first 1 KiB of its debug bytes and nothing more", () => {
    const decoder = new Decoder()
    assert.deepStrictEqual(decoder.push(fromHex("ffffff3000000000 00000009 0000000a")), [])
    const seen: Array<InboundFrame> = []
    for (let left = LENGTH - 8; left > 0; left -= chunk.length) {
      assert.lengthOf(seen, 0)
      seen.push(...decoder.push(chunk.subarray(0, left)))
    }
    assert.deepStrictEqual(seen, [{ _tag: "GoAway", lastStreamId: 9, code: 10, debug: pattern(1024) }])
    assert(seen[0]?._tag === "GoAway")
    assert.isAtMost(seen[0].debug.buffer.byteLength, 1032)
    assert.deepStrictEqual(decoder.push(fromHex(SENTINEL)), [sentinel])
  })

  it.each([1023, 1024, 1025])("a GOAWAY with %i debug bytes keeps at most 1024", (length) => {
    const header = `${(length + 8).toString(16).padStart(6, "0")}30000000000000000900000001`
    const bytes = concat([fromHex(header), pattern(length), fromHex(SENTINEL)])
    const [frame, behind] = new Decoder().push(bytes)
    assert(frame?._tag === "GoAway")
    assert.strictEqual(toHex(frame.debug), toHex(pattern(Math.min(length, 1024))))
    assert.deepStrictEqual(behind, sentinel)
  })
})

describe("the pieces of DATA", () => {
  it("a header at the end of a chunk gives an empty first piece, so that the window is checked at once", () => {
    const decoder = new Decoder()
    const piece = whole("", { fin: true })
    assert.deepStrictEqual(decoder.push(fromHex("0000021100000003")), [{ ...piece, length: 2, last: false }])
    assert.deepStrictEqual(decoder.push(fromHex("61")), [
      { ...piece, length: 2, payload: fromHex("61"), first: false, last: false }
    ])
    assert.deepStrictEqual(decoder.push(fromHex("62" + SENTINEL)), [
      { ...piece, length: 2, payload: fromHex("62"), first: false, last: true },
      sentinel
    ])
  })

  it("a whole frame after another frame is one piece", () => {
    assert.deepStrictEqual(decode(SENTINEL + "0000021100000003 6162" + SENTINEL), [
      sentinel,
      whole("6162", { fin: true }),
      sentinel
    ])
  })

  it("a header in two chunks that is followed by payload gives one first piece", () => {
    const decoder = new Decoder()
    assert.deepStrictEqual(decoder.push(fromHex("00000210")), [])
    assert.deepStrictEqual(decoder.push(fromHex("00000003 61")), [
      { ...whole(""), length: 2, payload: fromHex("61"), last: false }
    ])
    assert.deepStrictEqual(decoder.push(fromHex("62")), [
      { ...whole(""), length: 2, payload: fromHex("62"), first: false }
    ])
  })

  it("payload in the middle of a chunk is a view of it, not a copy", () => {
    const chunk = fromHex("0000021000000003 6162" + SENTINEL)
    const [piece] = new Decoder().push(chunk)
    assert(piece?._tag === "Data")
    assert.strictEqual(piece.payload.buffer, chunk.buffer)
    assert.strictEqual(toHex(piece.payload), "6162")
  })

  it("an empty chunk changes nothing", () => {
    const decoder = new Decoder()
    assert.isFalse(decoder.midFrame)
    assert.deepStrictEqual(decoder.push(new Uint8Array(0)), [])
    assert.isFalse(decoder.midFrame)
    decoder.push(fromHex("00"))
    assert.deepStrictEqual(decoder.push(new Uint8Array(0)), [])
    assert.isTrue(decoder.midFrame)
  })
})

it("a header may come from the middle of a Node Buffer", () => {
  const chunk = Buffer.from(fromHex("ffff" + SENTINEL)).subarray(2)
  assert.deepStrictEqual(new Decoder().push(chunk), [sentinel])
})

it("10 000 frames in one chunk are 10 000 frames", () => {
  const chunk = fromHex(SENTINEL.repeat(10_000))
  const frames = new Decoder().push(chunk)
  assert.lengthOf(frames, 10_000)
  assert.deepStrictEqual(frames.at(-1), sentinel)
})
