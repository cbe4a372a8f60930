import { assert, describe, it } from "@effect/vitest"
import { FrameWriter } from "effect-muxado"
import * as Effect from "effect/Effect"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import { data, windowIncrement } from "../../src/protocol/wire/frame.js"

describe("a batch", () => {
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
