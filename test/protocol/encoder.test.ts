import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { encode, encodedLength } from "../../src/protocol/wire/encoder.js"
import { ErrorCode } from "../../src/protocol/wire/errorCode.js"
import type { Frame } from "../../src/protocol/wire/frame.js"
import { data, goAway, goAwayFiller, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import { concat, pattern, toHex } from "../support/bytes.js"
import { bytesOf } from "../support/protocol/text.js"

const hexOf = (...frames: ReadonlyArray<Frame>): string => toHex(concat(encode(frames)))

describe("the test vectors of the wire", () => {
  const vectors: ReadonlyArray<readonly [string, Frame, string]> = [
    ["DATA+SYN+FIN", data(3, bytesOf("hello"), { syn: true, fin: true }), "000005130000000368656c6c6f"],
    ["DATA+SYN", data(3, bytesOf("hello"), { syn: true }), "000005120000000368656c6c6f"],
    ["DATA+FIN, empty", data(2, undefined, { fin: true }), "0000001100000002"],
    ["DATA", data(0x7fffffff, bytesOf("a")), "000001107fffffff61"],
    ["DATA, empty", data(3), "0000001000000003"],
    ["RST", rst(3, ErrorCode.StreamCancelled), "000004000000000300000006"],
    ["RST with Rust's unknown code", rst(0x01020304, 0xffffffff), "0000040001020304ffffffff"],
    ["WNDINC", windowIncrement(3, 262_144), "000004200000000300040000"],
    ["WNDINC, the largest", windowIncrement(0x7fffffff, 0x7fffffff), "000004207fffffff7fffffff"],
    ["GOAWAY", goAway(3, ErrorCode.ProtocolError, bytesOf("oh")), "00000a300000000000000003000000016f68"],
    ["GOAWAY without text", goAway(0x01020304, 0x05060708), "00000830000000000102030405060708"],
    ["the filler", goAwayFiller, "000000f000000000"],
    [
      "an unknown type, always without payload",
      { _tag: "Unknown", type: 4, flags: 5, streamId: 0x01020304, length: 77 },
      "0000004501020304"
    ]
  ]

  it.each(vectors)("%s", (_, frame, hex) => {
    assert.strictEqual(hexOf(frame), hex)
    assert.strictEqual(encodedLength(frame), hex.length / 2)
  })

  it("are encoded one after another in one chunk", () => {
    const chunks = encode(vectors.map(([, frame]) => frame))
    assert.lengthOf(chunks, 1)
    assert.strictEqual(toHex(concat(chunks)), vectors.map(([, , hex]) => hex).join(""))
  })
})

describe("the chunks of a batch", () => {
  it("are none for an empty batch", () => {
    assert.deepStrictEqual(encode([]), [])
  })

  it("a payload of up to 8 KiB is copied after its header", () => {
    const payload = pattern(8192)
    const [chunk, ...more] = encode([data(3, payload)])
    assert.lengthOf(more, 0)
    payload.fill(0)
    assert.deepStrictEqual(chunk, concat([new Uint8Array([0, 0x20, 0, 0x10, 0, 0, 0, 3]), pattern(8192)]))
    assert.strictEqual(chunk?.buffer.byteLength, 8200)
  })

  it("a larger payload is passed by reference, and the other frames share one buffer of their size", () => {
    const large = pattern(8193)
    const larger = pattern(20_000, 7)
    const frames = [
      windowIncrement(3, 1),
      data(3, large),
      data(5, larger, { fin: true }),
      rst(7, 6),
      data(9, bytesOf("x"))
    ]
    const chunks = encode(frames)
    assert.lengthOf(chunks, 5)
    const [before, first, between, second, after] = chunks
    assert.strictEqual(first, large)
    assert.strictEqual(second, larger)
    assert.deepStrictEqual(
      [before, between, after].map((chunk) => toHex(chunk ?? bytesOf(""))),
      [
        "000004200000000300000001" + "0020011000000003",
        "004e201100000005",
        "000004000000000700000006" + "000001100000000978"
      ]
    )
    assert.strictEqual(before?.buffer, between?.buffer)
    assert.strictEqual(before?.buffer, after?.buffer)
    assert.strictEqual(before?.buffer.byteLength, 12 + 8 + 8 + 12 + 9)
  })

  it("a batch that ends with a large payload has no empty last chunk", () => {
    const payload = pattern(8193)
    const chunks = encode([data(3, payload)])
    assert.lengthOf(chunks, 2)
    assert.strictEqual(chunks[1], payload)
  })

  it("a payload of 16 MiB - 1 sets all 24 bits of the length", () => {
    const [header, payload] = encode([data(3, new Uint8Array(0xffffff))])
    assert.strictEqual(toHex(header ?? bytesOf("")), "ffffff1000000003")
    assert.strictEqual(payload?.length, 0xffffff)
  })
})

describe("the pieces of a DATA frame", () => {
  const piece = (payload: Uint8Array, place: { readonly first?: boolean; readonly last?: boolean }): Frame => ({
    ...data(3, payload, { fin: true }),
    length: 5,
    first: place.first === true,
    last: place.last === true
  })
  const first = piece(bytesOf("he"), { first: true })
  const middle = piece(bytesOf("l"), {})
  const last = piece(bytesOf("lo"), { last: true })

  it("have one header, with the length of the whole frame", () => {
    assert.strictEqual(
      hexOf(first, middle, last, rst(5, 6)),
      "0000051100000003" + "68656c6c6f" + "000004000000000500000006"
    )
    assert.deepStrictEqual([first, middle, last].map(encodedLength), [10, 1, 2])
  })

  it("may be in two batches", () => {
    assert.strictEqual(hexOf(first), "0000051100000003" + "6865")
    assert.strictEqual(hexOf(middle, last, rst(5, 6)), "6c6c6f" + "000004000000000500000006")
  })

  it("may start with a header without payload", () => {
    assert.strictEqual(hexOf(piece(bytesOf(""), { first: true })), "0000051100000003")
  })

  it("are passed by reference from 8 KiB, with their header before the first", () => {
    const whole = { ...data(3, pattern(20_000)), length: 30_000, last: false }
    const rest = { ...whole, payload: pattern(10_000, 7), first: false, last: true }
    const chunks = encode([whole, rest, rst(5, 6)])
    assert.strictEqual(chunks[1], whole.payload)
    assert.strictEqual(chunks[2], rest.payload)
    assert.deepStrictEqual(
      [chunks[0], chunks[3]].map((chunk) => toHex(chunk ?? bytesOf(""))),
      ["0075301000000003", "000004000000000500000006"]
    )
  })
})

describe("a payload that does not have its announced length would be read as frames, so it is refused", () => {
  const announced = (length: number, payload: string, first = true, last = true): Frame => ({
    ...data(3, bytesOf(payload)),
    length,
    first,
    last
  })
  const says = (frames: ReadonlyArray<Frame>, message: string) =>
    assert.throws(() => encode(frames), RangeError, message)
  const has = (count: number) => `DATA on stream 3 announces 5 bytes of payload, but has ${count}`

  it("if it is shorter", () => {
    says([announced(5, "hell")], has(4))
    says([announced(5, "")], has(0))
    says([rst(5, 6), data(3, bytesOf("hello")), announced(5, "hell")], has(4))
  })

  it("if it is longer, also in a piece that is not the last", () => {
    says([announced(5, "hello!")], has(6))
    says([announced(5, "hello!", true, false)], has(6))
  })

  it("if its pieces are shorter or longer together, also with another frame between them", () => {
    says([announced(5, "he", true, false), announced(5, "ll", false)], has(4))
    says([announced(5, "he", true, false), rst(5, 6), announced(5, "ll", false)], has(4))
    says([announced(5, "he", true, false), announced(5, "llo!", false)], has(6))
  })

  it("if a piece follows a complete frame", () => {
    says([announced(5, "hello"), announced(5, "!", false)], has(6))
  })
})

// --- against the slow way

const naive = (frame: Frame): Uint8Array => {
  const header = (length: number, type: number, flags: number, streamId: number): ReadonlyArray<number> => [
    Math.floor(length / 65_536),
    Math.floor(length / 256) % 256,
    length % 256,
    type * 16 + flags,
    ...uint32(streamId)
  ]
  switch (frame._tag) {
    case "Rst":
      return Uint8Array.from([...header(4, 0, 0, frame.streamId), ...uint32(frame.code)])
    case "Data": {
      const flags = (frame.fin ? 1 : 0) + (frame.syn ? 2 : 0)
      return Uint8Array.from([...header(frame.payload.length, 1, flags, frame.streamId), ...frame.payload])
    }
    case "WindowIncrement":
      return Uint8Array.from([...header(4, 2, 0, frame.streamId), ...uint32(frame.increment)])
    case "GoAway": {
      const fixed = [...header(8 + frame.debug.length, 3, 0, 0), ...uint32(frame.lastStreamId), ...uint32(frame.code)]
      return Uint8Array.from([...fixed, ...frame.debug])
    }
    case "Unknown":
      return Uint8Array.from(header(0, frame.type, frame.flags, frame.streamId))
  }
}

const uint32 = (value: number): ReadonlyArray<number> =>
  [2 ** 24, 2 ** 16, 2 ** 8, 1].map((unit) => Math.floor(value / unit) % 256)

const uint31 = fc.integer({ min: 0, max: 0x7fffffff })
const code = fc.integer({ min: 0, max: 0xffffffff })
const payload = fc
  .tuple(fc.oneof(fc.nat(20), fc.integer({ min: 250, max: 260 }), fc.integer({ min: 8185, max: 8200 })), fc.nat(250))
  .map(([length, from]) => pattern(length, from))

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.tuple(uint31, code).map(([id, code]) => rst(id, code)),
  fc
    .tuple(uint31, payload, fc.boolean(), fc.boolean())
    .map(([id, payload, syn, fin]) => data(id, payload, { syn, fin })),
  fc.tuple(uint31, uint31).map(([id, increment]) => windowIncrement(id, increment)),
  fc.tuple(uint31, code, fc.uint8Array({ maxLength: 30 })).map(([last, code, debug]) => goAway(last, code, debug)),
  fc
    .tuple(fc.integer({ min: 4, max: 15 }), fc.nat(15), uint31)
    .map(([type, flags, streamId]): Frame => ({ _tag: "Unknown", type, flags, streamId, length: 0 }))
)

it("the encoder gives the bytes of a naive encoder for any batch", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), (frames) => {
      const chunks = encode(frames)
      const expected = frames.map(naive)
      assert.strictEqual(toHex(concat(chunks)), toHex(concat(expected)))
      assert.deepStrictEqual(
        frames.map(encodedLength),
        expected.map((bytes) => bytes.length)
      )
      assert.isTrue(chunks.every((chunk) => chunk.length > 0))
    })
  )
})
