/**
 * Byte chunks to batches of frames.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { directReader, directTransport } from "./internal/transport/fastPath.js"
import { isBytes, notBytes } from "./internal/support/bytes.js"
import { TransportFailed } from "./MuxadoError.js"
import { Decoder } from "./protocol/wire/decoder.js"
import type { InboundFrame } from "./protocol/wire/frame.js"
import type { TransportService } from "./Transport.js"
import { Transport } from "./Transport.js"

/** A longer chunk (a WebSocket message, say) is decoded bit by bit: its frames are not all in memory at once. */
const MAX_BATCH = 64 * 1024

/** After this many bytes of one chunk the event loop gets a turn: timers and sockets must not wait for all of it. */
const MAX_STRETCH = 1024 * 1024

const NO_BYTES: Uint8Array = new Uint8Array(0)

/**
 * The frames that one chunk of the transport completed, or up to 64 KiB of it: none, if it ended within the first.
 * `midFrame` says whether it ended within a frame.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameBatch {
  /** In the order of the wire; a large DATA frame comes in pieces. */
  readonly frames: ReadonlyArray<InboundFrame>
  /** The bytes ended within a frame, of which the rest is still to come. */
  readonly midFrame: boolean
}

/**
 * Gives at least one batch for every chunk that arrives, so that each is proof of life. Fails with the transport's
 * `TransportFailed`, and stays failed. Bytes that are no frames come as a `Malformed` frame, after which there are no more.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameReaderService {
  /**
   * The next batch. Waits for the transport's next chunk. Fails with the transport's `TransportFailed`, again and again
   * once it has failed. Only one fiber takes.
   */
  readonly take: Effect.Effect<FrameBatch, TransportFailed>
}

/**
 * What a session receives its frames from.
 *
 * @since 0.1.0
 * @category tags
 */
export class FrameReader extends Context.Tag("effect-muxado/FrameReader")<FrameReader, FrameReaderService>() {}

/**
 * A reader of one transport; it holds the decoder's state, so there must be only one.
 *
 * @example
 * ```ts
 * import { FrameLog, FrameReader, type Transport } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * const nextFrames = (transport: Transport.TransportService) => {
 *   const reader = FrameReader.make(transport)
 *   return Effect.map(reader.take, ({ frames }) => frames.map(FrameLog.render))
 * }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (transport: TransportService): FrameReaderService => {
  const decoder = new Decoder()
  let rest = NO_BYTES
  let stretch = 0
  const decode = (chunk: Uint8Array): FrameBatch => {
    const whole = chunk.length <= MAX_BATCH
    rest = whole ? NO_BYTES : chunk.subarray(MAX_BATCH)
    const frames = decoder.push(whole ? chunk : chunk.subarray(0, MAX_BATCH))
    return { frames, midFrame: !whole || decoder.midFrame }
  }
  const receive = (chunk: Uint8Array): Effect.Effect<FrameBatch, TransportFailed> =>
    !isBytes(chunk)
      ? Effect.fail(readFailed(notBytes(chunk)))
      : // an empty chunk is no sign of life, and a transport that gives them without end must not keep the loop busy
        chunk.length > 0
        ? Effect.succeed(decode(chunk))
        : Effect.zipRight(Effect.sleep(Duration.zero), Effect.flatMap(transport.read, receive))
  const decodeRest = Effect.sync(() => decode(rest))
  const aTurnLater = Effect.zipRight(Effect.sleep(Duration.zero), decodeRest)
  const reader = FrameReader.of({
    take: Effect.suspend(() => {
      if (rest.length === 0) {
        stretch = 0
        return Effect.flatMap(transport.read, receive)
      }
      stretch += MAX_BATCH
      if (stretch < MAX_STRETCH) return decodeRest
      stretch = 0
      return aTurnLater
    })
  })
  const direct = directTransport.get(transport)
  if (direct !== undefined) {
    directReader.set(reader, (take) =>
      direct.each((chunk) => {
        for (take(decode(chunk)); rest.length > 0;) take(decode(rest))
      })
    )
  }
  return reader
}

const readFailed = (cause: unknown): TransportFailed =>
  new TransportFailed({ reason: "Read", cause, initiator: "Local", processed: "maybe" })

/**
 * The reader of the context's transport. Every use of the layer is a reader of its own, so that two sessions in one
 * program do not share a decoder.
 *
 * @example
 * ```ts
 * import { FrameReader } from "effect-muxado"
 * import { NodeTransport } from "effect-muxado/node"
 * import { Layer } from "effect"
 *
 * const ReaderLive = FrameReader.layer.pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port: 7000 })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<FrameReader, never, Transport> = Layer.fresh(
  Layer.effect(FrameReader, Effect.map(Transport, make))
)
