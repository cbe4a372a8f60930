/**
 * Encodes batches of frames and writes them to the transport.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fastPathOf, offerFastPath } from "./internal/transport/fastPath.js"
import { encode } from "./protocol/wire/encoder.js"
import { mergeFrames } from "./protocol/wire/mergeFrames.js"
import type { FastPath, FrameWriterService } from "./internal/transport/frameWriterService.js"
import type { TransportService } from "./Transport.js"
import { Transport } from "./Transport.js"

export type { FastPath, FrameWriterService } from "./internal/transport/frameWriterService.js"

/**
 * The destination of a session's frames.
 *
 * @since 0.1.0
 * @category tags
 */
export class FrameWriter extends Context.Tag("effect-muxado/FrameWriter")<FrameWriter, FrameWriterService>() {}

/**
 * A new writer with the `write` of `writer` and a fast path: see `FastPath` for what `tryWrite` must do. The new writer
 * is frozen. A copy of it and a Proxy have no fast path. If `tryWrite` is not a function, a session over the writer
 * fails with `InvalidOptions`.
 *
 * @example
 * ```ts
 * import { FrameWriter, type Transport } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * // a writer that counts the frames, also those of the fast path
 * const counting = (transport: Transport.TransportService, count: (frames: number) => void) => {
 *   const inner = FrameWriter.make(transport)
 *   const writer: FrameWriter.FrameWriterService = {
 *     write: (frames) => Effect.tap(inner.write(frames), () => Effect.sync(() => count(frames.length)))
 *   }
 *   const { fastPath } = inner
 *   return fastPath === undefined
 *     ? writer
 *     : FrameWriter.withFastPath(writer, {
 *         tryWrite: (frames) => {
 *           const written = fastPath.tryWrite(frames)
 *           if (written) count(frames.length)
 *           return written
 *         }
 *       })
 * }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const withFastPath = (writer: FrameWriterService, fastPath: Omit<FastPath, "owner">): FrameWriterService => {
  const owner: FrameWriterService = { write: (frames) => writer.write(frames) }
  return offerFastPath(owner, { ...fastPath, owner })
}

/**
 * Makes a writer for one transport. It has a fast path if the transport has one.
 *
 * @example
 * ```ts
 * import { ErrorCode, Frame, FrameWriter, type Transport } from "effect-muxado"
 *
 * const cancel = (transport: Transport.TransportService, streamId: number) =>
 *   FrameWriter.make(transport).write([Frame.rst(streamId, ErrorCode.StreamCancelled)])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (transport: TransportService): FrameWriterService => {
  const writer = FrameWriter.of({
    write: (frames) => Effect.suspend(() => transport.write(encode(mergeFrames(frames))))
  })
  const fastPath = fastPathOf(transport, ["each", "tryWrite"])
  if (fastPath === undefined) return writer
  return withFastPath(writer, { tryWrite: (frames) => fastPath.tryWrite(encode(mergeFrames(frames))) })
}

/**
 * The writer to the context's transport. Each use of the layer makes a new writer.
 *
 * @example
 * ```ts
 * import { FrameWriter } from "effect-muxado"
 * import { NodeTransport } from "effect-muxado/node"
 * import { Layer } from "effect"
 *
 * const WriterLive = FrameWriter.layer.pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port: 7000 })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<FrameWriter, never, Transport> = Layer.fresh(
  Layer.effect(FrameWriter, Effect.map(Transport, make))
)
