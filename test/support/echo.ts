/** A stream that is echoed, and one that is read up to a length. */
import type { MuxadoError } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** Writes back what it reads, then finishes. */
export const echo = (stream: MuxStream.MuxStream): Effect.Effect<void, MuxadoError.StreamError> =>
  Effect.flatMap(MuxStream.read(stream), (chunk) =>
    Option.isNone(chunk)
      ? MuxStream.finish(stream)
      : Effect.zipRight(MuxStream.write(stream, chunk.value), echo(stream))
  )

/** The next chunks, until there are as many bytes; more than one chunk may be needed for a few. */
export const readExactly = (
  stream: MuxStream.MuxStream,
  length: number
): Effect.Effect<Uint8Array, MuxadoError.StreamError> =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    let left = length
    while (left > 0) {
      const chunk = yield* MuxStream.read(stream)
      if (Option.isNone(chunk)) return yield* Effect.dieMessage(`the stream ended ${left} bytes too early`)
      chunks.push(chunk.value)
      left -= chunk.value.length
    }
    if (left < 0) return yield* Effect.dieMessage(`the stream gave ${-left} bytes too many`)
    return Buffer.concat(chunks)
  })
