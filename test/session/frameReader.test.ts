import { assert, describe, it } from "@effect/vitest"
import { FrameReader, FrameWriter, MuxadoError } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import { encode } from "../../src/protocol/wire/encoder.js"
import { data } from "../../src/protocol/wire/frame.js"
import { ending, sessionTest } from "../support/session/sessionTest.js"

const ENDED = new MuxadoError.TransportFailed({ reason: "Ended", initiator: "Remote", processed: "maybe" })

/** Gives one chunk, then the end. */
const readerOf = (chunk: Uint8Array) => {
  let given = false
  return FrameReader.make({
    read: Effect.suspend(() => {
      if (given) return ENDED
      given = true
      return Effect.succeed(chunk)
    }),
    write: () => Effect.void,
    end: Effect.void,
    destroy: Effect.void
  })
}

const takeAll = (reader: FrameReader.FrameReaderService): Effect.Effect<void> =>
  reader.take.pipe(Effect.forever, Effect.ignore)

describe("a chunk of many MiB", () => {
  const payload = new Uint8Array(16 * 1024)
  const chunk = Buffer.concat(encode(Array.from({ length: 512 }, () => data(3, payload))))

  it.live("lets the event loop run between its parts", () =>
    Effect.gen(function* () {
      let turns = 0
      let timer = setTimeout(function turn() {
        turns++
        timer = setTimeout(turn, 0)
      }, 0)
      yield* takeAll(readerOf(chunk))
      clearTimeout(timer)
      assert.isAtLeast(turns, 6)
    })
  )

  it.effect("arrives completely, also in virtual time", () =>
    Effect.gen(function* () {
      const reader = readerOf(chunk)
      let bytes = 0
      let batch = yield* reader.take
      while (bytes < 512 * payload.length) {
        for (const frame of batch.frames) if (frame._tag === "Data") bytes += frame.payload.length
        if (bytes < 512 * payload.length) batch = yield* reader.take
      }
      assert.strictEqual(bytes, 512 * payload.length)
      assert.isFalse(batch.midFrame)
      assert.strictEqual((yield* Effect.flip(reader.take))._tag, "TransportFailed")
    })
  )
})

sessionTest("a take that is interrupted loses no frame; after the end it fails, again and again", () =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair({ latency: "20 millis", chunking: "byte" })
    const [reader, writer] = [FrameReader.make(link.server), FrameWriter.make(link.client)]
    yield* writer.write([{ _tag: "Rst", streamId: 3, code: 77 }])
    yield* Effect.ignore(Effect.timeout(Effect.forever(reader.take), 5))
    const codes: Array<number> = []
    while (codes.length === 0) {
      const { frames } = yield* reader.take
      for (const frame of frames) if (frame._tag === "Rst") codes.push(frame.code)
    }
    assert.deepStrictEqual(codes, [77])
    yield* link.client.end
    for (let i = 0; i < 2; i++) assert.match(yield* ending(reader.take), /^fails TransportFailed: /)
  })
)

it.effect("a chunk of many MiB is decoded 64 KiB at a time", () =>
  Effect.gen(function* () {
    const chunk = new Uint8Array(1024 * 1024)
    // a million bytes of empty frames of an unknown type
    for (let at = 3; at < chunk.length; at += 8) chunk[at] = 0xf0
    const reader = FrameReader.make({
      read: Effect.succeed(chunk),
      write: () => Effect.void,
      end: Effect.void,
      destroy: Effect.void
    })
    let frames = 0
    for (let batches = 0; batches < 16; batches++) {
      const batch = yield* reader.take
      assert.isAtMost(batch.frames.length, 8192)
      assert.strictEqual(batch.midFrame, batches < 15)
      frames += batch.frames.length
    }
    assert.strictEqual(frames, chunk.length / 8)
  })
)
