import { assert, describe, it } from "@effect/vitest"
import { FrameReader, MuxadoError } from "effect-muxado"
import * as Effect from "effect/Effect"
import { encode } from "../../src/protocol/wire/encoder.js"
import { data } from "../../src/protocol/wire/frame.js"

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

  it.live("leaves the event loop its turns", () =>
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

  it.effect("comes whole, in virtual time too", () =>
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
