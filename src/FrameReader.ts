/**
 * Decodes byte chunks into batches of frames.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { ChunkSplitter, MAX_PART } from "./internal/transport/chunkSplitter.js"
import { fastPathOf, offerFastPath, runEach } from "./internal/transport/fastPath.js"
import { concat } from "./internal/support/concat.js"
import { isBytes, notBytes } from "./internal/support/bytes.js"
import { race } from "./internal/support/race.js"
import { Once } from "./internal/support/waiters.js"
import { TransportFailed } from "./MuxadoError.js"
import { Decoder } from "./protocol/wire/decoder.js"
import type { FastPath, FrameBatch, FrameReaderService } from "./internal/transport/frameReaderService.js"
import type { TransportService } from "./Transport.js"
import { Transport } from "./Transport.js"

export type { FastPath, FrameBatch, FrameReaderService } from "./internal/transport/frameReaderService.js"

/**
 * After this many bytes of one chunk, the reader yields to the event loop, so that timers and sockets do not wait for
 * the whole chunk.
 */
const MAX_STRETCH = 1024 * 1024

/**
 * The source of a session's frames.
 *
 * @since 0.1.0
 * @category tags
 */
export class FrameReader extends Context.Tag("effect-muxado/FrameReader")<FrameReader, FrameReaderService>() {}

/**
 * A new reader with the `take` of `reader` and a fast path: see `FastPath` for what `each` must do. The new reader is
 * frozen. A copy of it and a Proxy have no fast path. A session over a reader whose `each` is no function fails with
 * `InvalidOptions`.
 *
 * @example
 * ```ts
 * import { FrameReader, type Transport } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * // a reader that counts the frames, also those of the fast path
 * const counting = (transport: Transport.TransportService, count: (frames: number) => void) => {
 *   const inner = FrameReader.make(transport)
 *   const reader = { take: Effect.tap(inner.take, ({ frames }) => Effect.sync(() => count(frames.length))) }
 *   const { fastPath } = inner
 *   return fastPath === undefined
 *     ? reader
 *     : FrameReader.withFastPath(reader, {
 *         each: (take) =>
 *           fastPath.each((batch) => {
 *             count(batch.frames.length)
 *             return take(batch)
 *           })
 *       })
 * }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const withFastPath = (reader: FrameReaderService, fastPath: Omit<FastPath, "owner">): FrameReaderService => {
  const owner: FrameReaderService = { take: reader.take }
  return offerFastPath(owner, { ...fastPath, owner })
}

/**
 * Makes a reader of one transport. It holds the decoder state, so make only one reader for each transport. It has a
 * fast path if the transport has one.
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
  const splitter = new ChunkSplitter()
  let stretch = 0
  const decode = (chunk: Uint8Array): FrameBatch => {
    const frames = decoder.push(splitter.split(chunk))
    return { frames, midFrame: splitter.rest.length > 0 || decoder.midFrame }
  }
  const receive = (chunk: Uint8Array): Effect.Effect<FrameBatch, TransportFailed> =>
    !isBytes(chunk)
      ? Effect.fail(readFailed(notBytes(chunk)))
      : // an empty chunk is not a sign of life; one that returns only those must not block the event loop
        chunk.length > 0
        ? Effect.succeed(decode(chunk))
        : Effect.zipRight(Effect.sleep(Duration.zero), Effect.flatMap(transport.read, receive))
  const decodeRest = Effect.sync(() => decode(splitter.rest))
  const aTurnLater = Effect.zipRight(Effect.sleep(Duration.zero), decodeRest)
  const reader = FrameReader.of({
    take: Effect.suspend(() => {
      if (splitter.rest.length === 0) {
        stretch = 0
        return Effect.flatMap(transport.read, receive)
      }
      stretch += MAX_PART
      if (stretch < MAX_STRETCH) return decodeRest
      stretch = 0
      return aTurnLater
    })
  })
  const fastPath = fastPathOf(transport, ["each", "tryWrite"])
  if (fastPath === undefined) return reader
  /** The transport has delivered a value that is not a chunk. */
  const broken = new Once<never, TransportFailed>()
  const each = (take: (batch: FrameBatch) => boolean): Effect.Effect<void, TransportFailed> =>
    Effect.suspend(() => {
      if (broken.isDone) return broken.await
      let asksForMore = true
      const onChunk = (chunk: Uint8Array): boolean => {
        if (broken.isDone) return false
        if (!isBytes(chunk)) {
          broken.complete(Exit.fail(readFailed(notBytes(chunk))))
        } else if (splitter.rest.length > 0) {
          // the transport continues although it was asked to pause
          splitter.rest = concat([splitter.rest, chunk])
        } else if (chunk.length > 0) {
          stretch = 0
          asksForMore = take(decode(chunk))
        }
        return asksForMore && splitter.rest.length === 0 && !broken.isDone
      }
      // the rest of a long chunk comes as it does without a fast path: bit by bit, and with turns of the event loop
      const next =
        splitter.rest.length > 0
          ? // not `map`, which has a step of its own: an interruption before it would lose the batch
            Effect.flatMap(reader.take, (batch) => {
              asksForMore = take(batch)
              return Effect.void
            })
          : // as exits, since Effect logs a fiber that fails
            Effect.flatten(race(Effect.exit(runEach("transport", fastPath, onChunk)), Effect.exit(broken.await)))
      return Effect.flatMap(next, () => (asksForMore ? each(take) : Effect.void))
    })
  return withFastPath(reader, { each })
}

const readFailed = (cause: unknown): TransportFailed =>
  new TransportFailed({ reason: "Read", cause, initiator: "Local", processed: "maybe" })

/**
 * The reader of the transport in the context. Each use of the layer makes a new reader, so that two sessions do not
 * share a decoder.
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
