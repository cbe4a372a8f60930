/** The decoder against one that has all bytes and all time: whatever the bytes and however they are split. */
import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { encode } from "../../src/protocol/wire/encoder.js"
import type { InboundFrame } from "../../src/protocol/wire/frame.js"
import { faultOf } from "../../tools/fuzz/reference.js"
import { concat, fromHex, pattern, toHex } from "../support/bytes.js"
import { showInbound } from "../support/protocol/text.js"

/** A frame as text; DATA that is not complete says how much of it is there. */
type Seen = string

interface Reference {
  readonly seen: ReadonlyArray<Seen>
  /** Where frames end, or the first malformed header does. */
  readonly ends: ReadonlySet<number>
  readonly failedAt: number | undefined
}

const reference = (bytes: Uint8Array): Reference => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const seen: Array<Seen> = []
  const ends = new Set<number>([0])
  let at = 0
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at) >>> 8
    const type = view.getUint8(at + 3) >>> 4
    const flags = view.getUint8(at + 3) & 15
    const id = view.getUint32(at + 4) & 0x7fffffff
    const body = bytes.subarray(at + 8, at + 8 + length)
    const fault = faultOf(type, id, length)
    at += 8
    if (fault !== undefined) {
      seen.push(`malformed ${fault} ${type} ${id} ${length}`)
      return { seen, ends: ends.add(at), failedAt: at }
    }
    const complete = body.length === length
    if (type === 1) seen.push(dataText(id, (flags & 2) !== 0, (flags & 1) !== 0, length, body))
    else if (type > 3) seen.push(`unknown ${type} ${flags} ${id} ${length}`)
    else if (complete) {
      const first = new DataView(body.buffer, body.byteOffset).getUint32(0)
      if (type === 0) seen.push(`rst ${id} ${first}`)
      if (type === 2) seen.push(`wndinc ${id} ${first % 2 ** 31}`)
      if (type === 3) {
        const code = new DataView(body.buffer, body.byteOffset).getUint32(4)
        seen.push(`goaway ${first % 2 ** 31} ${code} ${toHex(body.subarray(8, 1032))}`)
      }
    }
    at += length
    if (complete) ends.add(at)
  }
  return { seen, ends, failedAt: undefined }
}

const dataText = (id: number, syn: boolean, fin: boolean, length: number, payload: Uint8Array): Seen =>
  `data ${id} ${syn ? "syn" : "-"} ${fin ? "fin" : "-"} ${length} ${toHex(payload)}`

/** Merges pieces of DATA, and checks that they say of themselves what they are. */
const merge = (frames: ReadonlyArray<InboundFrame>): ReadonlyArray<Seen> => {
  const seen: Array<Seen> = []
  let pieces: Array<Uint8Array> = []
  let open = false
  for (const frame of frames) {
    if (frame._tag !== "Data") assert.isFalse(open, `${frame._tag} within DATA`)
    if (frame._tag !== "Data") {
      seen.push(showInbound(frame))
      continue
    }
    assert.strictEqual(frame.first, !open)
    if (frame.first) pieces = []
    else seen.pop()
    // only the piece that stands for the header may be empty
    if (!frame.first) assert.isAbove(frame.payload.length, 0)
    pieces.push(frame.payload)
    const payload = concat(pieces)
    assert.strictEqual(frame.last, payload.length === frame.length)
    open = !frame.last
    seen.push(dataText(frame.streamId, frame.syn, frame.fin, frame.length, payload))
  }
  return seen
}

const split = (bytes: Uint8Array, sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  let at = 0
  for (const size of [...sizes, bytes.length]) {
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

/** Feeds the chunks, and compares with the reference after each. */
const check = (chunks: ReadonlyArray<Uint8Array>): void => {
  const decoder = new Decoder()
  const frames: Array<InboundFrame> = []
  const all = concat(chunks)
  const { ends, failedAt } = reference(all)
  let at = 0
  for (const chunk of chunks) {
    frames.push(...decoder.push(chunk))
    at += chunk.length
    // a header, and each byte of DATA, is handed on with the chunk that brings it
    assert.deepStrictEqual(merge(frames), reference(all.subarray(0, at)).seen)
    assert.strictEqual(decoder.midFrame, !ends.has(at) && !(failedAt !== undefined && at >= failedAt), `at ${at}`)
  }
}

// --- the bytes

const header = (length: number, type: number, flags: number, id: number): Uint8Array =>
  Uint8Array.of(length >>> 16, length >>> 8, length, (type << 4) | flags, id >>> 24, id >>> 16, id >>> 8, id)

const uint32 = fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 0xffffffff }))
const streamId = uint32.map((id) => (id % 2 ** 31 === 0 ? id + 1 : id))
const flags = fc.nat(15)
const body = fc.tuple(fc.oneof(fc.nat(12), fc.nat(1200)), fc.nat(250)).map(([length, from]) => pattern(length, from))

const frameOf = (type: number, flags: number, id: number, payload: Uint8Array): Uint8Array =>
  concat([header(payload.length, type, flags, id), payload])

const wellFormed = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(flags, streamId, body).map(([f, id, bytes]) => frameOf(1, f, id, bytes)) },
  fc
    .tuple(fc.constantFrom(0, 2), flags, streamId, fc.uint8Array({ minLength: 4, maxLength: 4 }))
    .map(([type, f, id, bytes]) => frameOf(type, f, id, bytes)),
  fc
    .tuple(flags, fc.constantFrom(0, 0x80000000), fc.uint8Array({ minLength: 8, maxLength: 8 }), body)
    .map(([f, id, fixed, debug]) => frameOf(3, f, id, concat([fixed, debug]))),
  fc
    .tuple(fc.integer({ min: 4, max: 15 }), flags, uint32, body)
    .map(([type, f, id, bytes]) => frameOf(type, f, id, bytes))
)

const anything = fc.oneof(
  { weight: 8, arbitrary: wellFormed },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(3), flags, fc.nat(1), fc.nat(9)).map(([t, f, id, n]) => frameOf(t, f, id, pattern(n)))
  }
)

const SENTINEL = fromHex("000000f000000007")
const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(40)), { maxLength: 40 })

it("the decoder gives the same as a naive decoder, for any frames and splits", () => {
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 8 }), sizes, (parts, sizes) => {
      check(split(concat([...parts, SENTINEL]), sizes))
    }),
    { numRuns: 300 }
  )
})

it("the decoder gives the same frames if the input is split at every byte", () => {
  const recorded = concat([
    fromHex("0000051200000003 68656c6c6f 0000042000000003 00040000 0000031100000003 616263 000000f000000000"),
    fromHex("0000001000000005 0000040080000003 80000006 0000044f00000009 01020304 0000001300000007"),
    fromHex("00000a3000000000 80000003 00000001 6f68"),
    SENTINEL
  ])
  for (let at = 0; at <= recorded.length; at++) check([recorded.subarray(0, at), recorded.subarray(at)])
  check([...recorded].map((byte) => Uint8Array.of(byte)))
  check([recorded])
})

it("the decoder returns the frames that the encoder wrote, followed by a sentinel", () => {
  const frames = fc.array(wellFormed, { maxLength: 6 })
  fc.assert(
    fc.property(frames, sizes, (parts, sizes) => {
      const bytes = concat([...parts, SENTINEL])
      const original = new Decoder().push(bytes)
      const again = new Decoder()
      const written = concat(encode(original.flatMap((frame) => (frame._tag === "Malformed" ? [] : [frame]))))
      const returned = split(written, sizes).flatMap((chunk) => again.push(chunk))
      const unsized = (seen: Seen): Seen => seen.replace(/^(unknown .*) \d+$/, "$1")
      assert.deepStrictEqual(merge(returned).map(unsized), merge(original).map(unsized))
      assert.strictEqual(merge(returned).at(-1), "unknown 15 0 7 0")
    })
  )
})
