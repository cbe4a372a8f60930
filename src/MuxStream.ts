/**
 * One stream of a session: a flow-controlled, full-duplex byte stream whose two directions end on their own.
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
 * The next bytes, as many as have arrived together; `None` after the peer's FIN, again and again.
 *
 * What had arrived before a reset, or before the end of the session, is given first; then it fails. A stream that was
 * cut never looks like one that ended. Fails with `StreamReset`, `StreamClosed` (after `stopReading` or `close`), or
 * the error that ended the session. Interrupting it loses no bytes.
 *
 * No other stream shows the memory of the chunk: the caller may keep it, change it, or transfer its `ArrayBuffer`. Other
 * chunks of the same stream may share that buffer.
 *
 * @since 0.1.0
 * @category reading
 */
export const read = (self: MuxStream): Effect.Effect<Option.Option<Uint8Array>, StreamError> => self.read

/**
 * How much `readAll` takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadAllOptions {
  /** In bytes. Default 16,777,216 (16 MiB); more fail with `ReadLimitExceeded`, and reset the stream. */
  readonly maxBytes?: number | undefined
}

/**
 * Everything up to the peer's FIN, in one array: the whole, or an error. Interrupting it loses nothing: the next `read`
 * or `readAll` begins with what it had read. While it waits, other reads of the same stream wait for it.
 *
 * Fails as `read` does; with `ReadLimitExceeded` when the peer sends more than `maxBytes`, and then resets the stream
 * with StreamCancelled; with `InvalidOptions` when `maxBytes` is not a number of bytes. Use `toStream` for what may be
 * large.
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
 * Writes bytes, or a string as UTF-8. Completes when the session has accepted all of them, for which it waits until the
 * peer's window and the session's `maxSendBuffer` have room; the session then sends them. Concurrent writes are sent one
 * after the other.
 *
 * The session keeps the array until it has sent it. Do not change it afterwards. If its memory is detached before that
 * (a transferred `ArrayBuffer`, WebAssembly memory that grew), the stream is reset with InternalError and a warning is
 * logged; the session goes on. Resizable and shared memory is copied.
 *
 * Interrupting a write leaves no part of it behind: what was accepted is withdrawn, or, when some of it was sent, the
 * stream is reset with StreamCancelled. Fails with `StreamReset`, `StreamClosed` (after `finish` or `close`), the
 * error that ended the session, or, for anything but a `Uint8Array` or a string, with `InvalidOptions`.
 *
 * @since 0.1.0
 * @category writing
 */
export const write: {
  (data: Uint8Array | string): (self: MuxStream) => Effect.Effect<void, StreamError>
  (self: MuxStream, data: Uint8Array | string): Effect.Effect<void, StreamError>
} = dual(2, (self: MuxStream, data: Uint8Array | string): Effect.Effect<void, StreamError> => self.write(data))

/**
 * Ends this side's direction (half-close): FIN follows the writes that were begun before. Reading stays open. Finishing
 * twice is the same as once. Fails when the stream or the session had failed before.
 *
 * @since 0.1.0
 * @category writing
 */
export const finish = (self: MuxStream): Effect.Effect<void, StreamError> => self.finish

/**
 * Ends the stream in good order: what was accepted is sent, then FIN, and reading stops. It does not wait for the
 * network, and never fails. A write that still waits fails with `StreamClosed`, and since its bytes are lost the stream
 * is then reset instead.
 *
 * @since 0.1.0
 * @category ending
 */
export const close = (self: MuxStream): Effect.Effect<void> => self.close

/**
 * Ends the stream at once in both directions: what was not sent is dropped, and the peer's pending reads and writes
 * fail with `StreamReset` and this code (any uint32). StreamRefused (5) and AcceptQueueFull (9) tell the peer that
 * nothing was processed, so that it may try again. Nothing happens to a stream that is over. A code that is no uint32 is a
 * defect (`InvalidOptions`).
 *
 * @since 0.1.0
 * @category ending
 */
export const reset: {
  (code: number): (self: MuxStream) => Effect.Effect<void>
  (self: MuxStream, code: number): Effect.Effect<void>
} = dual(2, (self: MuxStream, code: number): Effect.Effect<void> => self.reset(code))

/**
 * Drops what has arrived and what will; writing stays open. The peer keeps its credit while this side writes, so that
 * neither waits for the other; once this side has finished, more bytes from the peer draw an RST StreamClosed.
 *
 * @since 0.1.0
 * @category ending
 */
export const stopReading = (self: MuxStream): Effect.Effect<void> => self.stopReading

/**
 * The inbound direction as a `Stream`. While it is not pulled, the peer waits.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toStream: (self: MuxStream) => Stream.Stream<Uint8Array, StreamError> = toStreamInternal

/**
 * The outbound direction as a `Sink`, which finishes the stream when its input ends. When the input fails, dies or is
 * interrupted, the stream is reset with StreamCancelled, since what was written is not the whole; it makes no difference
 * whether the program handles that failure.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toSink: (self: MuxStream) => Sink.Sink<void, Uint8Array | string, never, StreamError> = toSinkInternal

/**
 * Both directions as a `Channel`: its input is written, and its end finishes the stream; what arrives is its output. It
 * is done when the peer has finished. When it ends before its input has (the input fails, the consumer stops,
 * the peer finishes first), the stream is reset with StreamCancelled, since what was written is not the whole.
 *
 * Its elements are `Chunk`s, which nothing else of this library uses: a `Stream` of Effect 3 is a channel of `Chunk`s, and
 * `Stream.pipeThroughChannel` and the channels of `@effect/platform` take no other.
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
 * `run` gives its handler one chunk after the other, holding the peer back meanwhile, until the peer's FIN. Writing a
 * `CloseEvent` with code 1000 closes the stream and ends `run`; any other code resets it with that code. Closing the
 * writer's scope finishes the stream; a scope that ends in failure or interruption resets it with StreamCancelled.
 * Writing after the end fails; the platform's own sockets never complete such a write.
 *
 * The platform's own `Socket.toChannel` closes its writer's scope in success even when its input has failed, so over this
 * socket a cut input looks whole to the peer: use `toChannel` of this module.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toSocket: (self: MuxStream) => Socket = toSocketInternal
