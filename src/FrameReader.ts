/**
 * Byte chunks to batches of frames.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TransportFailed } from "./MuxadoError.js"
import { Decoder } from "./protocol/decoder.js"
import type { InboundFrame } from "./protocol/frame.js"
import type { TransportService } from "./Transport.js"
import { Transport } from "./Transport.js"

/**
 * The frames that one chunk of the transport completed: none, if it ended within the first. `midFrame` says whether the
 * chunk ended within a frame.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameBatch {
  readonly frames: ReadonlyArray<InboundFrame>
  readonly midFrame: boolean
}

/**
 * Gives a batch for every chunk that arrives, so that each is proof of life; fails with the transport's
 * `TransportFailed`, for good. Bytes that are no frames come as a `Malformed` frame, after which there are no more.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameReaderService {
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
 * @since 0.1.0
 * @category constructors
 */
export const make = (transport: TransportService): FrameReaderService => {
  const decoder = new Decoder()
  return FrameReader.of({
    take: Effect.map(transport.read, (chunk) => ({ frames: decoder.push(chunk), midFrame: decoder.midFrame }))
  })
}

/**
 * The reader of the context's transport. Every use of the layer is a reader of its own, so that two sessions in one
 * program do not share a decoder.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<FrameReader, never, Transport> = Layer.fresh(
  Layer.effect(FrameReader, Effect.map(Transport, make))
)
