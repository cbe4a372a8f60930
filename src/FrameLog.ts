/**
 * Every frame that a session sends and receives, in the log: for debugging.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import * as Level from "effect/LogLevel"
import { FrameReader } from "./FrameReader.js"
import { FrameWriter } from "./FrameWriter.js"
import { errorCodeName } from "./protocol/errorCode.js"
import type { InboundFrame } from "./protocol/frame.js"

/**
 * A frame in one line, without its payload: `DATA 3 SYN 68 bytes`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (frame: InboundFrame): string => {
  switch (frame._tag) {
    case "Data": {
      const flags = `${frame.first && frame.syn ? " SYN" : ""}${frame.last && frame.fin ? " FIN" : ""}`
      const whole = frame.first && frame.last
      const size = whole ? `${frame.length} bytes` : `${frame.payload.length} of ${frame.length} bytes`
      return `DATA ${frame.streamId}${flags} ${size}`
    }
    case "Rst":
      return `RST ${frame.streamId} ${errorCodeName(frame.code)}`
    case "WindowIncrement":
      return `WNDINC ${frame.streamId} +${frame.increment}`
    case "GoAway": {
      const debug = frame.debug.length === 0 ? "" : ` ${JSON.stringify(new TextDecoder().decode(frame.debug))}`
      return `GOAWAY last ${frame.lastStreamId} ${errorCodeName(frame.code)}${debug}`
    }
    case "Unknown":
      return `UNKNOWN type ${frame.type} on ${frame.streamId}, ${frame.length} bytes`
    case "Malformed":
      return `MALFORMED ${errorCodeName(frame.code)}: ${frame.message}`
  }
}

/**
 * Logs each frame between a session and the reader and writer that it is given, neither of which know of it. Provide it
 * between them and `Session.layer`. `level` is `Debug` unless told otherwise.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: { readonly level?: LogLevel.LogLevel | undefined } = {}
): Layer.Layer<FrameReader | FrameWriter, never, FrameReader | FrameWriter> =>
  Layer.fresh(
    Layer.effectContext(
      Effect.gen(function* () {
        const reader = yield* FrameReader
        const writer = yield* FrameWriter
        const level = options.level ?? Level.Debug
        const log = (direction: "received" | "sent", frames: ReadonlyArray<InboundFrame>) =>
          Effect.forEach(frames, (frame) => Effect.logWithLevel(level, `${direction} ${render(frame)}`), {
            discard: true
          })
        return Context.empty().pipe(
          Context.add(
            FrameReader,
            FrameReader.of({ take: Effect.tap(reader.take, (batch) => log("received", batch.frames)) })
          ),
          Context.add(
            FrameWriter,
            FrameWriter.of({ write: (frames) => Effect.zipRight(log("sent", frames), writer.write(frames)) })
          )
        )
      })
    )
  )
