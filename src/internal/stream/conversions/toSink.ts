/** Converts the outbound direction of a stream to a `Sink`. */
import * as Effect from "effect/Effect"
import * as Sink from "effect/Sink"
import type { StreamError } from "../../../MuxadoError.js"
import type { MuxStream } from "../muxStream.js"
import { uncut } from "./uncut.js"

export const toSink = (stream: MuxStream): Sink.Sink<void, Uint8Array | string, never, StreamError> =>
  Sink.unwrapScoped(
    Effect.map(uncut(stream), (whole) =>
      Sink.zipRight(
        Sink.forEach((data: Uint8Array | string) => stream.write(data)),
        Sink.fromEffect(Effect.zipRight(stream.finish, whole))
      )
    )
  )
