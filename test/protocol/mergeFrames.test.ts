import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { encode, encodedLength } from "../../src/protocol/wire/encoder.js"
import type { Data, Frame, InboundFrame } from "../../src/protocol/wire/frame.js"
import { data, goAway, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import { mergeFrames } from "../../src/protocol/wire/mergeFrames.js"
import { concat, pattern } from "../support/bytes.js"

const KIB = 1024
const large = pattern(64 * KIB)

const isData = (frame: InboundFrame): frame is Data => frame._tag === "Data"

/** What goes over the wire. */
const wireOf = (frames: ReadonlyArray<Frame>): ReadonlyArray<InboundFrame> =>
  new Decoder().push(concat(encode(mergeFrames(frames))))

/** Stream, length, and flags of each DATA frame, by its header. */
const headers = (frames: ReadonlyArray<Frame>): ReadonlyArray<string> =>
  wireOf(frames)
    .filter(isData)
    .filter(({ first }) => first)
    .map(({ fin, length, streamId, syn }) => `${streamId}:${length}${syn ? " SYN" : ""}${fin ? " FIN" : ""}`)

describe("large DATA frames of one stream", () => {
  it("that are consecutive become one frame, whose bytes are passed by reference", () => {
    const frames = [data(3, large), data(3, large), data(3, pattern(10))]
    assert.deepStrictEqual(headers(frames), [`3:${128 * KIB + 10}`])
    const chunks = encode(mergeFrames(frames))
    assert.strictEqual(chunks[1], large)
    assert.strictEqual(chunks[2], large)
  })

  it("are merged up to the one with FIN, which becomes the FIN of the merged frame", () => {
    const frames = [data(3, large), data(3, undefined, { fin: true }), data(3, large)]
    assert.deepStrictEqual(headers(frames), [`3:${64 * KIB} FIN`, `3:${64 * KIB}`])
  })

  it("are not merged across a frame of another stream, or of another type", () => {
    const frames = [data(3, large), data(5, large), data(3, large), windowIncrement(5, 1), data(3, large), rst(3, 6)]
    assert.deepStrictEqual(headers(frames), [`3:${64 * KIB}`, `5:${64 * KIB}`, `3:${64 * KIB}`, `3:${64 * KIB}`])
  })

  it("are merged if the first one has at least 8 KiB", () => {
    assert.deepStrictEqual(headers([data(3, pattern(8 * KIB)), data(3, pattern(1))]), [`3:${8 * KIB + 1}`])
    assert.deepStrictEqual(headers([data(3, pattern(8 * KIB - 1)), data(3, large)]), [
      `3:${8 * KIB - 1}`,
      `3:${64 * KIB}`
    ])
  })

  it("leave the frames of other types in their places", () => {
    const [open, close] = [data(5, pattern(3), { syn: true }), goAway(4, 0)]
    const frames = [windowIncrement(5, 1), open, rst(7, 6), data(3, large), data(3, large), rst(3, 6), close]
    const joined = mergeFrames(frames)
    assert.deepStrictEqual(
      joined.filter((frame) => frame._tag !== "Data" || frame.streamId !== 3),
      [windowIncrement(5, 1), open, rst(7, 6), rst(3, 6), close]
    )
    assert.deepStrictEqual(
      joined.map(({ _tag }) => _tag),
      ["WindowIncrement", "Data", "Rst", "Data", "Data", "Rst", "GoAway"]
    )
  })

  it("are merged up to a length of 24 bits", () => {
    const eightMebibytes = new Uint8Array(8 * KIB * KIB)
    const lengths = (last: number): ReadonlyArray<number> =>
      mergeFrames([data(3, eightMebibytes), data(3, eightMebibytes.subarray(0, last))]).map((frame) =>
        frame._tag === "Data" ? frame.length : 0
      )
    assert.deepStrictEqual(lengths(8 * KIB * KIB - 1), [0xffffff, 0xffffff])
    assert.deepStrictEqual(lengths(8 * KIB * KIB), [8 * KIB * KIB, 8 * KIB * KIB])
  })

  it("whose payload does not have the announced length are not merged, so the encoder refuses them", () => {
    for (const wrong of [
      [{ ...data(3, large), length: 64 * KIB + 1 }, data(3, large)],
      [data(3, large), { ...data(3, large), length: 1 }]
    ]) {
      assert.throws(() => encode(mergeFrames(wrong)), RangeError)
    }
  })

  it("are not merged beyond a length of 24 bits", () => {
    const sixMebibytes = pattern(6 * KIB * KIB)
    const frames = [data(3, sixMebibytes), data(3, sixMebibytes), data(3, sixMebibytes)]
    assert.deepStrictEqual(headers(frames), [`3:${12 * KIB * KIB}`, `3:${6 * KIB * KIB}`])
  })
})

it("frames that arrived in parts, and are written on as they arrive, have the same bytes on the wire", () => {
  const bytes = concat(
    encode([data(3, pattern(20 * KIB)), data(3, pattern(9 * KIB, 5)), data(3, pattern(30 * KIB, 7))])
  )
  for (const at of [8, 10 * KIB, 25 * KIB, 45 * KIB]) {
    const decoder = new Decoder()
    const batches = [bytes.subarray(0, at), bytes.subarray(at)].map((chunk) => decoder.push(chunk))
    const again = new Decoder()
    const arrived = batches.flatMap((batch) => again.push(concat(encode(mergeFrames(batch.filter(isData))))))
    assert.deepStrictEqual(
      concat(arrived.filter(isData).map(({ payload }) => payload)),
      concat([pattern(20 * KIB), pattern(9 * KIB, 5), pattern(30 * KIB, 7)])
    )
    assert.isTrue(arrived.every(isData))
  }
})

it("small frames, and a SYN with the frames after it, are not merged", () => {
  const frames = [data(2, pattern(4)), data(2, pattern(4)), data(3, large, { syn: true }), data(3, large)]
  assert.strictEqual(mergeFrames([]).length, 0)
  assert.deepStrictEqual(mergeFrames(frames), frames)
})

it("merged frames have the same payload bytes and flags for each stream, in fewer bytes on the wire", () => {
  const frame = fc.record({
    streamId: fc.constantFrom(3, 5),
    length: fc.constantFrom(0, 1, 8 * KIB - 1, 8 * KIB, 8 * KIB + 1, 64 * KIB),
    fin: fc.boolean(),
    syn: fc.boolean()
  })
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), (all) => {
      const frames = all.map(({ fin, length, streamId, syn }) => data(streamId, pattern(length), { syn, fin }))
      const joined = mergeFrames(frames)
      const size = concat(encode(joined)).length
      assert.strictEqual(
        joined.reduce((sum, one) => sum + encodedLength(one), 0),
        size
      )
      assert.isAtMost(size, concat(encode(frames)).length)
      const told = (some: ReadonlyArray<InboundFrame>) =>
        [3, 5].map((id) => {
          const mine = some.filter(isData).filter(({ streamId }) => streamId === id)
          let ends = ""
          let bytes = 0
          for (const { fin, first, last, payload, syn } of mine) {
            if (first && syn) ends += `SYN at ${bytes} `
            bytes += payload.length
            if (last && fin) ends += `FIN at ${bytes} `
          }
          return { ends, bytes: concat(mine.map(({ payload }) => payload)) }
        })
      assert.deepStrictEqual(told(wireOf(frames)), told(frames))
    })
  )
})
