/**
 * One stream of a session: a full-duplex byte stream with flow control. Each direction ends separately.
 *
 * @module
 * @since 0.1.0
 */
import type { Socket } from "@effect/platform/Socket"
import type * as Channel from "effect/Channel"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import type * as Sink from "effect/Sink"
import type * as Stream from "effect/Stream"
import { describe } from "./internal/support/describe.js"
import { isMarked, MuxStreamTypeId } from "./internal/support/typeIds.js"
import { toChannel as toChannelInternal } from "./internal/stream/conversions/toChannel.js"
import { toSink as toSinkInternal } from "./internal/stream/conversions/toSink.js"
import { toSocket as toSocketInternal } from "./internal/stream/conversions/toSocket.js"
import { toStream as toStreamInternal } from "./internal/stream/conversions/toStream.js"
import type { MuxStream } from "./internal/stream/muxStream.js"
import type { StreamError } from "./MuxadoError.js"
import { InvalidOptions } from "./MuxadoError.js"

export { MuxStreamTypeId as TypeId } from "./internal/support/typeIds.js"

export type { MuxStream } from "./internal/stream/muxStream.js"

/**
 * Whether a value is a stream, of this copy of the library or of another. Takes any value, and never throws.
 *
 * @since 0.1.0
 * @category guards
 */
export const isMuxStream = (value: unknown): value is MuxStream => isMarked(value, MuxStreamTypeId)

/**
 * Reads the next chunk of received bytes. Returns `None` after the peer's FIN, on every call.
 *
 * First returns the bytes that arrived before the peer's reset or the end of the session. Then it fails. (A `reset` by
 * this side drops them.) It returns `None` only after a FIN, never for a stream that was cut. Fails with `StreamReset`,
 * `StreamClosed` (after `stopReading` or `close`), or the error that ended the session. Interrupting it loses no bytes.
 *
 * The memory of the chunk is not shared with other streams. The caller may keep it, change it, or transfer its
 * `ArrayBuffer`. Later chunks of the same stream may use the same buffer.
 *
 * @since 0.1.0
 * @category reading
 */
export const read = (self: MuxStream): Effect.Effect<Option.Option<Uint8Array>, StreamError> => self.read

/**
 * The limit of `readAll`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadAllOptions {
  /**
   * In bytes. Default 16,777,216 (16 MiB). If the peer sends more, `readAll` fails with `ReadLimitExceeded`, and the
   * stream is reset.
   */
  readonly maxBytes?: number | undefined
}

/**
 * Reads everything up to the peer's FIN into one array. It never returns a part: it returns all bytes or fails. If you
 * interrupt it, the next `read` or `readAll` starts with the bytes that it had already read. While it waits, other
 * reads of the same stream wait too.
 *
 * Fails like `read`. Fails with `ReadLimitExceeded` if the peer sends more than `maxBytes`; the stream is then reset
 * with StreamCancelled. Fails with `InvalidOptions` if `maxBytes` is not a number of bytes. Use `toStream` for large
 * data.
 *
 * @since 0.1.0
 * @category reading
 */
export const readAll = (self: MuxStream, options?: ReadAllOptions): Effect.Effect<Uint8Array, StreamError> => {
  if (options === undefined) return self.readAll
  if (typeof options !== "object" || options === null) {
    const detail = `readAll: the options must be an object such as { maxBytes: 1000 }, not ${describe(options)}`
    return Effect.fail(new InvalidOptions({ detail }))
  }
  return options.maxBytes === undefined ? self.readAll : self.readAllWithin(options.maxBytes)
}

/**
 * Writes bytes, or a string as UTF-8. Completes when the session has accepted all bytes. For this it waits until the
 * peer's window and the session's `maxSendBuffer` have enough space. The session sends the bytes later. The session
 * sends concurrent writes one after the other.
 *
 * The session keeps a reference to the array until it has sent the bytes. Do not change it afterwards. If the memory is
 * detached earlier (by a transfer of the `ArrayBuffer`, or because WebAssembly memory grew), the session resets the
 * stream with InternalError and logs a warning. Other streams continue. Resizable and shared memory is copied.
 *
 * If you interrupt a write before any of its bytes were sent, the session withdraws it. If some bytes were sent, the
 * session resets the stream with StreamCancelled. Fails with `StreamReset`, with `StreamClosed` (after `finish` or
 * `close`), or with the error that ended the session. Fails with `InvalidOptions` if the argument is not a `Uint8Array`
 * or a string.
 *
 * @since 0.1.0
 * @category writing
 */
export const write: {
  (data: Uint8Array | string): (self: MuxStream) => Effect.Effect<void, StreamError>
  (self: MuxStream, data: Uint8Array | string): Effect.Effect<void, StreamError>
} = dual(2, (self: MuxStream, data: Uint8Array | string): Effect.Effect<void, StreamError> => self.write(data))

/**
 * Ends the outbound direction (half-close). The FIN is sent after all earlier writes. Reading stays open. A second call
 * has no effect. Fails if the stream or the session has already failed.
 *
 * @since 0.1.0
 * @category writing
 */
export const finish = (self: MuxStream): Effect.Effect<void, StreamError> => self.finish

/**
 * Closes the stream: sends the accepted bytes, then FIN, and stops reading. It does not wait for the network, and never
 * fails. If a write still waits, it fails with `StreamClosed`, and the stream is reset, because those bytes are lost.
 *
 * @since 0.1.0
 * @category ending
 */
export const close = (self: MuxStream): Effect.Effect<void> => self.close

/**
 * Ends both directions at once. Unsent bytes are dropped. On the peer, pending reads and writes fail with `StreamReset`
 * and this code (any uint32). StreamRefused (5) and AcceptQueueFull (9) tell the peer that nothing was processed, so
 * that it may try again. It has no effect on a stream that has ended. If the code is not a uint32, the
 * effect dies with `InvalidOptions`.
 *
 * @since 0.1.0
 * @category ending
 */
export const reset: {
  (code: number): (self: MuxStream) => Effect.Effect<void>
  (self: MuxStream, code: number): Effect.Effect<void>
} = dual(2, (self: MuxStream, code: number): Effect.Effect<void> => self.reset(code))

/**
 * Drops the bytes that have arrived and all later ones. Writing stays open. While this side still writes, it returns
 * credit for the dropped bytes, so that neither side waits for the other. After this side has sent FIN, more bytes from
 * the peer are answered with RST StreamClosed.
 *
 * @since 0.1.0
 * @category ending
 */
export const stopReading = (self: MuxStream): Effect.Effect<void> => self.stopReading

/**
 * The inbound direction as a `Stream`. While the consumer does not pull, the session grants no credit, and the peer's
 * writer waits.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toStream: (self: MuxStream) => Stream.Stream<Uint8Array, StreamError> = toStreamInternal

/**
 * The outbound direction as a `Sink`. When its input ends, it finishes the stream. If the input fails, dies or is
 * interrupted, the stream is reset with StreamCancelled, because the written data is not complete. This also happens if
 * the program handles that failure.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toSink: (self: MuxStream) => Sink.Sink<void, Uint8Array | string, never, StreamError> = toSinkInternal

/**
 * Both directions as a `Channel`. It writes its input to the stream and finishes the stream when the input ends. Its
 * output is the received bytes. The channel completes when the peer sends FIN. If it ends before its input (the input
 * fails, the consumer stops, or the peer finishes first), the stream is reset with StreamCancelled, because the written
 * data is not complete.
 *
 * Its elements are `Chunk`s, which nothing else of this library uses: a `Stream` of Effect 3 is a channel of `Chunk`s,
 * and `Stream.pipeThroughChannel` and the channels of `@effect/platform` take no other.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toChannel: <IE = never>(
  self: MuxStream
) => Channel.Channel<Chunk.Chunk<Uint8Array>, Chunk.Chunk<Uint8Array | string>, StreamError | IE, IE, void, unknown> =
  toChannelInternal

/**
 * The stream as a platform `Socket`, for programs that take one.
 *
 * `run` calls its handler with one chunk at a time until the peer's FIN. While the handler runs, no further bytes are
 * read, so the peer may have to wait. Writing a `CloseEvent` with code 1000 closes the stream and ends `run`; any other
 * code resets it with that code. If the writer's scope closes with success, the stream is finished. If it closes with
 * failure or interruption, the stream is reset with StreamCancelled. A write after the end fails. (With the platform's
 * own sockets, such a write never completes.)
 *
 * Do not use the platform's `Socket.toChannel` over this socket: it closes the writer's scope with success even if its
 * input failed, so the peer sees a complete stream. Use `toChannel` of this module.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toSocket: (self: MuxStream) => Socket = toSocketInternal
