import { assert, describe, it } from "@effect/vitest"
import { FrameWriter } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { data, windowIncrement } from "../../src/protocol/wire/frame.js"
import { ending, sessionTest } from "../support/session/sessionTest.js"

describe("a batch of frames", () => {
  const large = new Uint8Array(64 * 1024)

  it.effect("is one write, in which large DATA frames of one stream leave as one", () =>
    Effect.gen(function* () {
      const writes: Array<ReadonlyArray<Uint8Array>> = []
      const writer = FrameWriter.make({
        read: Effect.never,
        write: (chunks) => Effect.sync(() => void writes.push(chunks)),
        end: Effect.void,
        destroy: Effect.void
      })
      yield* writer.write([windowIncrement(3, 1), data(3, large), data(3, large, { fin: true }), data(5, large)])
      assert.lengthOf(writes, 1)
      const begun = new Decoder()
        .push(Buffer.concat(writes.flat()))
        .filter((frame) => frame._tag === "Data")
        .filter(({ first }) => first)
        .map(({ fin, length, streamId }) => [streamId, length, fin])
      assert.deepStrictEqual(begun, [
        [3, 2 * large.length, true],
        [5, large.length, false]
      ])
    })
  )
})

sessionTest("a write of frames after the end of the transport fails, again and again", () =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair()
    const writer = FrameWriter.make(link.client)
    yield* link.client.destroy
    for (let i = 0; i < 2; i++) {
      const write = writer.write([{ _tag: "Rst", streamId: 3, code: 77 }])
      assert.match(yield* ending(write), /^fails TransportFailed: /)
    }
  })
)
