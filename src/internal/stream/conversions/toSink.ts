/** Converts the outbound direction of a stream to a `Sink`, of bytes or of what is written as bytes. */
import * as Effect from "effect/Effect"
import * as Sink from "effect/Sink"
import type { StreamError } from "../../../MuxadoError.js"
import type { MuxStream } from "../muxStream.js"
import { uncut } from "./uncut.js"

export const toSink = (stream: MuxStream): Sink.Sink<void, Uint8Array | string, never, StreamError> =>
  sinkOver(stream, (data) => stream.write(data))

/** `write` replaces that of the stream. */
export const sinkOver = <A, E>(
  stream: MuxStream,
  write: (data: A) => Effect.Effect<void, E>
): Sink.Sink<void, A, never, E | StreamError> =>
  Sink.unwrapScoped(
    Effect.map(uncut(stream), (whole) =>
      Sink.zipRight(Sink.forEach(write), Sink.fromEffect(Effect.zipRight(stream.finish, whole)))
    )
  )
