/** The interface of a session, and the options of its operations. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Inspectable } from "effect/Inspectable"
import type * as Scope from "effect/Scope"
import type { InvalidOptions, OpenError, SessionError, StreamReset } from "../../MuxadoError.js"
import type { Role } from "../../protocol/options.js"
import type { ConnectionStats } from "../../protocol/stats.js"
import type { MuxStream } from "../stream/muxStream.js"
import type { SessionTypeId } from "../support/typeIds.js"
import type { Peer } from "../transport/transportService.js"

/**
 * How a stream is opened. `type` is any uint32 but 0xFFFFFFFF, 0 unless given; untyped sessions have none.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenOptions {
  /** What the handler at the peer sees as `stream.type`. Default 0. */
  readonly type?: number | undefined
}

/**
 * How streams are served: at most `concurrency` handlers at once (`"unbounded"` unless given), and the code (any uint32)
 * with which a handler's failure resets its stream.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServeOptions<E> {
  /** Handlers at once, 1 or more; further streams wait in the backlog. Default `"unbounded"`. */
  readonly concurrency?: number | "unbounded" | undefined
  /** The code that the peer sees for a failure of the handler, any uint32. Default: StreamCancelled (6). */
  readonly resetCode?: ((error: E) => number) | undefined
}

/**
 * What a GOAWAY says: `code` is any uint32, 0 (NoError) unless given. Take codes of your own from 256 up: a peer reads
 * the protocol's codes as what they say, and 1, 3 and 8 as a rule that it broke. `debug` is a text for a person, sent as UTF-8 and
 * cut between two characters after 256 bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface GoAwayOptions {
  /** Any uint32. Default 0 (NoError). */
  readonly code?: number | undefined
  /** For a person: at most 256 bytes of UTF-8 are sent. Default: no text. */
  readonly debug?: string | undefined
}

/**
 * What a session is doing, and has done since it began. Counts of streams and bytes; times in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionStats extends ConnectionStats {
  /** Streams that this side has opened. */
  readonly opened: number
  /** Streams that the peer has opened and that were not refused. */
  readonly accepted: number
  /** Streams that were alive when the session ended, or was closed; 0 before. */
  readonly lost: number
  /** The most streams that were alive at the same time. */
  readonly peakStreams: number
  /** Payload bytes that were given to the transport, without headers. */
  readonly bytesSent: number
  /** Payload bytes that have arrived, without headers. */
  readonly bytesReceived: number
}

/**
 * A session. It is as alive as the scope in which it was made: closing that drains it.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionService extends Inspectable {
  /** The mark that `isSession` looks for. */
  readonly [SessionTypeId]: SessionTypeId
  /** Which end of the connection this side is. */
  readonly role: Role
  /** The other end of the connection, where the transport knows it. */
  readonly peer: Peer | undefined
  /**
   * Opens a stream, without a round trip; the scope's end ends it. Waits while this side has as many streams open as it
   * may. Fails with `StreamsExhausted`, `InvalidOptions`, or why the session takes no more.
   */
  readonly open: (options?: OpenOptions) => Effect.Effect<MuxStream, OpenError, Scope.Scope>
  /**
   * `open` and use in one: the stream ends as `use` does. Fails as `open` and `use` do, with `InvalidOptions` also if `use`
   * is no function.
   */
  readonly withStream: <A, E, R>(
    use: (stream: MuxStream) => Effect.Effect<A, E, R>,
    options?: OpenOptions
  ) => Effect.Effect<A, E | OpenError, R>
  /**
   * Waits for the next stream that the peer opens; the scope's end ends it. Fails when no more will come.
   *
   * If it is interrupted in its last step (by a timeout, for example), the stream is in the scope already, and the caller
   * does not have it. So let that scope fail, which resets the stream: a scope that succeeds finishes it, and the peer
   * takes that for an answer.
   */
  readonly accept: Effect.Effect<MuxStream, SessionError, Scope.Scope>
  /**
   * Runs `handler` in a fiber of its own for every stream that the peer opens, at most `concurrency` at once (the others
   * wait in the backlog), and completes when the session takes no more streams and all handlers are done.
   *
   * A handler that fails resets its stream, with the code that `resetCode` gives for the error, or StreamCancelled. One
   * that dies resets it with InternalError. Neither harms the session. A failure that is not an error of this library is
   * logged as a warning, a defect as an error, with the stream's id and type. A handler is interrupted when its stream is
   * reset by the peer or lost with the session. Interrupting `serve` interrupts all handlers.
   *
   * A handler begins a trace of its own: the spans in it link to the span in which `serve` runs. A `concurrency` below 1 is
   * a defect (`InvalidOptions`).
   */
  readonly serve: <A, E, R>(
    handler: (stream: MuxStream) => Effect.Effect<A, E, R>,
    options?: ServeOptions<E>
  ) => Effect.Effect<void, never, Exclude<R, Scope.Scope>>
  /** The round trip of a heartbeat. Fails with `InvalidOptions` on an untyped session, or with why there is no answer. */
  readonly ping: Effect.Effect<Duration.Duration, SessionError | StreamReset | InvalidOptions>
  /**
   * Tells the peer at once that no more of its streams are taken, and why; those that are open go on. Rust's muxado ends
   * at any GOAWAY: to leave gracefully, `drain`. The first code or text that says something stays the reason that both
   * sides see, whatever the GOAWAY that closes the session says. A code that is no uint32 is a defect (`InvalidOptions`).
   */
  readonly goAway: (options?: GoAwayOptions) => Effect.Effect<void>
  /**
   * Leaves without loss: takes and opens no more streams, opens `draining`, waits for the streams in flight, then
   * closes. After `grace` (the option `drainTimeout` unless given) those left are reset with StreamCancelled.
   */
  readonly drain: (grace?: Duration.DurationInput) => Effect.Effect<void>
  /**
   * Ends the session: streams fail here with `SessionClosed`, what they had accepted is sent, then GOAWAY. Completes when
   * the transport is gone: after at most `closeTimeout` for the last bytes, and as much again for the transport, even if
   * that never answers. Continues if the caller is interrupted.
   */
  readonly close: Effect.Effect<void>
  /** `close`, and tells the peer why. A code that is no uint32 is a defect (`InvalidOptions`). */
  readonly closeWith: (options: GoAwayOptions) => Effect.Effect<void>
  /**
   * Waits until one of the sides leaves: a drain here, a GOAWAY from the peer, or the end. Says which, with the code and
   * the text of the GOAWAY.
   */
  readonly draining: Effect.Effect<SessionError>
  /** Waits for the end of the session, and says why it ended and by whom. */
  readonly closed: Effect.Effect<SessionError>
  /** What the session is doing at this moment, and has done since it began. */
  readonly stats: Effect.Effect<SessionStats>
}
