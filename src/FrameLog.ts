/**
 * Logs every frame that a session sends or receives, for debugging.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import * as Level from "effect/LogLevel"
import { StreamNames } from "./internal/session/streamNames.js"
import type { FrameReaderService } from "./FrameReader.js"
import { FrameReader } from "./FrameReader.js"
import type { FrameWriterService } from "./FrameWriter.js"
import { FrameWriter } from "./FrameWriter.js"
import { errorCodeName } from "./protocol/wire/errorCode.js"
import type { InboundFrame } from "./protocol/wire/frame.js"
import { mergeFrames } from "./protocol/wire/mergeFrames.js"

/**
 * Options of the frame log.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameLogOptions {
  /** The level of each line. Default `LogLevel.Debug`. */
  readonly level?: LogLevel.LogLevel | undefined
  /** A name with which each line begins. Default: none. */
  readonly session?: string | undefined
  /** Names for stream types: `{ 7: "rpc" }`. Default: none. */
  readonly types?: Readonly<Record<number, string>> | undefined
}

/**
 * Formats a frame as one line, without its payload: `DATA 3 SYN 68 bytes`.
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
 * Wraps a reader and a writer so that they log each frame. Each frame on the wire gives one line. A large DATA frame,
 * which the session reads in pieces, gives one line for its header. If the logger fails or dies, the session continues.
 *
 * @example
 * ```ts
 * import { FrameLog, FrameReader, FrameWriter, type Transport } from "effect-muxado"
 *
 * const logged = (transport: Transport.TransportService) =>
 *   FrameLog.make(FrameReader.make(transport), FrameWriter.make(transport), { session: "orders" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  reader: FrameReaderService,
  writer: FrameWriterService,
  options: FrameLogOptions = {}
): { readonly reader: FrameReaderService; readonly writer: FrameWriterService } => {
  const level = options.level ?? Level.Debug
  const session = options.session === undefined ? "" : `${options.session}: `
  const names = options.types === undefined ? undefined : new StreamNames(options.types)
  const log = (direction: "received" | "sent", frames: ReadonlyArray<InboundFrame>): Effect.Effect<void> =>
    Effect.forEach(
      frames,
      (frame) => {
        if (frame._tag === "Data" && !frame.first) return Effect.void
        const name = names === undefined ? "" : names.of(frame)
        return Effect.logWithLevel(level, `${session}${direction} ${render(wholeOf(frame))}${name}`)
      },
      { discard: true }
    ).pipe(Effect.catchAllCause(() => Effect.void))
  return {
    reader: FrameReader.of({
      take: Effect.tap(
        Effect.suspend(() => reader.take),
        (batch) => log("received", batch.frames)
      )
    }),
    writer: FrameWriter.of({
      write: (frames) => {
        const joined = mergeFrames(frames)
        return Effect.zipRight(log("sent", joined), writer.write(joined))
      }
    })
  }
}

/**
 * Logs each frame between a session and its reader and writer. Provide it between `Session.layer` and the layers of its
 * reader and writer. Without layers, use the option `frameLog` of a client or server.
 *
 * @example
 * ```ts
 * import { FrameLog, FrameReader, FrameWriter, Session } from "effect-muxado"
 * import { Layer } from "effect"
 *
 * const SessionLive = Session.layer({ role: "client" }).pipe(
 *   Layer.provide(FrameLog.layer({ session: "orders" })),
 *   Layer.provide(Layer.merge(FrameReader.layer, FrameWriter.layer))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: FrameLogOptions = {}
): Layer.Layer<FrameReader | FrameWriter, never, FrameReader | FrameWriter> =>
  Layer.fresh(
    Layer.effectContext(
      Effect.gen(function* () {
        const { reader, writer } = make(yield* FrameReader, yield* FrameWriter, options)
        return Context.empty().pipe(Context.add(FrameReader, reader), Context.add(FrameWriter, writer))
      })
    )
  )

/**
 * The frame as its header announces it: marks the first piece of a DATA frame as the last one, so that it is printed as
 * a whole frame.
 */
const wholeOf = (frame: InboundFrame): InboundFrame => (frame._tag === "Data" ? { ...frame, last: true } : frame)
