/** The interface of a stream. */
import type * as Effect from "effect/Effect"
import type { Inspectable } from "effect/Inspectable"
import type * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import type { Initiator, StreamError } from "../../MuxadoError.js"
import type { MuxStreamTypeId } from "../support/typeIds.js"

/**
 * A stream. Both sides use the same interface.
 *
 * A stream belongs to a scope (`session.open`, `session.accept`) or to a handler (`session.serve`,
 * `session.withStream`). If the scope or handler succeeds, the session closes the stream. If it fails or is
 * interrupted, the session resets the stream with StreamCancelled; if it dies, with InternalError. After a reset, the
 * peer's handler is interrupted.
 *
 * In a log and in `JSON.stringify` it shows its id, type, initiator and state, and why it failed.
 *
 * @since 0.1.0
 * @category models
 */
export interface MuxStream extends Inspectable, Pipeable {
  /** The mark that `isMuxStream` looks for. */
  readonly [MuxStreamTypeId]: MuxStreamTypeId
  /** The stream id on the wire: odd if the client opened the stream, even if the server did. */
  readonly id: number
  /** The 32-bit type that the opener chose; `undefined` on untyped sessions. */
  readonly type: number | undefined
  /** Which side opened it: `"Local"` is this one. */
  readonly initiator: Initiator
  /**
   * Reads the next chunk of received bytes. Returns `None` after the peer's FIN. Waits while there are none. Fails
   * with `StreamReset`, `StreamClosed`, or the error that ended the session. Details: `MuxStream.read`.
   */
  readonly read: Effect.Effect<Option.Option<Uint8Array>, StreamError>
  /**
   * Everything up to the peer's FIN, at most 16 MiB. Fails as `read` does, or with `ReadLimitExceeded`, and then resets
   * the stream. Details: `MuxStream.readAll`.
   */
  readonly readAll: Effect.Effect<Uint8Array, StreamError>
  /** `readAll` with another limit, in bytes. Fails with `InvalidOptions` if the limit is not a number of bytes. */
  readonly readAllWithin: (maxBytes: number) => Effect.Effect<Uint8Array, StreamError>
  /**
   * Writes bytes, or a string as UTF-8. Completes when the session has accepted all of them. Do not change the array
   * afterwards. Fails with `StreamReset`, `StreamClosed`, `InvalidOptions` for any other value, or the error that ended
   * the session. Details: `MuxStream.write`.
   */
  readonly write: (data: Uint8Array | string) => Effect.Effect<void, StreamError>
  /**
   * Ends the outbound direction: FIN is sent after all earlier writes. Reading stays open. Fails if the stream or the
   * session has already failed.
   */
  readonly finish: Effect.Effect<void, StreamError>
  /**
   * Closes the stream: sends the accepted bytes, then FIN, and stops reading. Does not wait for the network.
   */
  readonly close: Effect.Effect<void>
  /** Ends the stream at once in both directions. `code` is any uint32. With another value the effect dies with `InvalidOptions`. */
  readonly reset: (code: number) => Effect.Effect<void>
  /** Drops the received bytes and all later ones. Writing stays open. */
  readonly stopReading: Effect.Effect<void>
}
