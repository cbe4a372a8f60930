/** Converts the inbound direction of a stream to a `Stream`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { StreamError } from "../../../MuxadoError.js"
import type { MuxStream } from "../muxStream.js"

export const toStream = (stream: MuxStream): Stream.Stream<Uint8Array, StreamError> =>
  Stream.repeatEffectOption(
    Effect.flatMap(Effect.mapError(stream.read, Option.some), (chunk) =>
      chunk._tag === "None" ? Effect.fail(Option.none()) : Effect.succeed(chunk.value)
    )
  )
