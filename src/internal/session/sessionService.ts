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
 * Options of `open`. `type` is any uint32 except 0xFFFFFFFF; the default is 0. On an untyped session, do not give a
 * type.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenOptions {
  /** What the handler at the peer sees as `stream.type`. Default 0. */
  readonly type?: number | undefined
}

/**
 * Options of `serve`. `type` selects the streams of the peer that the handler gets. `concurrency` is the maximum number
 * of handlers at once; the default is `"unbounded"`.
 * `resetCode` maps a handler's failure to the code (any uint32) that resets its stream.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServeOptions<E> {
  /**
   * The types of the streams that the handler gets: one or more uint32 below 0xFFFFFFFF. Default: every stream that no
   * other `serve` takes by its type. On an untyped session, do not give a type.
   */
  readonly type?: number | ReadonlyArray<number> | undefined
  /** Handlers at once, 1 or more; further streams wait in the backlog. Default `"unbounded"`. */
  readonly concurrency?: number | "unbounded" | undefined
  /** The code that the peer sees for a failure of the handler, any uint32. Default: StreamCancelled (6). */
  readonly resetCode?: ((error: E) => number) | undefined
}

/**
 * The content of a GOAWAY: `code` is any uint32; the default is 0 (NoError). Use 256 or more for your own codes. A peer
 * reads smaller codes as the codes of the protocol, and 1, 3 and 8 as a protocol violation by the peer itself. `debug`
 * is a text for people. It is sent as UTF-8 of at most 256 bytes, cut between two characters.
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
 * Statistics of a session: its current state and its totals. Counts of streams and bytes; times in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionStats extends ConnectionStats {
  /** Streams that this side has opened. */
  readonly opened: number
  /** Streams that the peer has opened, and that were not refused when they arrived. */
  readonly accepted: number
  /** Streams that were open when the session ended or was closed. It is 0 before that. */
  readonly lost: number
  /** The highest number of streams that were open at the same time. */
  readonly peakStreams: number
  /** Payload bytes that were given to the transport, without headers. */
  readonly bytesSent: number
  /** Payload bytes that have arrived, without headers. */
  readonly bytesReceived: number
}

/**
 * A session. It lives in the scope in which it was made. When that scope closes, the session drains.
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
   * Opens a stream without a round trip. When the scope closes, the stream ends. Waits while this side has
   * `maxOutboundStreams` streams open. Fails with `StreamsExhausted`, with `InvalidOptions`, or with the error that
   * says why the session opens no more streams.
   */
  readonly open: (options?: OpenOptions) => Effect.Effect<MuxStream, OpenError, Scope.Scope>
  /**
   * Opens a stream and runs `use` with it. The exit of `use` decides how the stream ends: success closes it, any other
   * exit resets it. Fails as `open` and `use` do, with `InvalidOptions` also if `use` is no function.
   */
  readonly withStream: <A, E, R>(
    use: (stream: MuxStream) => Effect.Effect<A, E, R>,
    options?: OpenOptions
  ) => Effect.Effect<A, E | OpenError, R>
  /**
   * Waits for the next stream of the peer that no running `serve` takes. When the scope closes, the stream ends. Fails
   * when the session accepts no more streams.
   *
   * While no `serve` runs, streams wait in the backlog for the next `accept`. While one runs, a stream that it does not
   * take is refused unless a fiber already waits in `accept`.
   *
   * An interruption (such as a timeout) can come after the stream was added to the scope but before the caller received
   * it. So let that scope fail, which resets the stream. If the scope succeeds, it sends FIN, and the peer takes that
   * as an answer.
   */
  readonly accept: Effect.Effect<MuxStream, SessionError, Scope.Scope>
  /**
   * Runs `handler` in a new fiber for every stream that the peer opens, at most `concurrency` at once. Other streams
   * wait in the backlog. Completes when the session accepts no more streams and all handlers have ended.
   *
   * With `type`, it takes only the streams of these types. Without, it takes every stream that no other `serve` of the
   * session takes by its type. Several calls run beside each other, and those of the same type share its streams. While
   * at least one runs, a stream that none of them takes is refused with StreamRefused as soon as it arrives: the
   * opener's call fails with `processed: "no"`. Two cases differ:
   *
   * - A fiber that waits in `accept` gets the stream instead.
   * - Streams that wait when a `serve` starts or ends, and streams that arrive in the same turn, are refused only after
   *   the fibers that can run now. So a program that starts several one after the other loses no stream.
   *
   * A `serve` whose handlers have reached `concurrency` refuses nothing: its streams wait. When the last `serve` ends,
   * streams wait for the next one, or for `accept`, as before the first. Such a refusal is not charged to the peer's
   * `refusalBudget`: a peer of another version may not know which types are served.
   *
   * If a handler fails, its stream is reset with the code that `resetCode` returns, or with StreamCancelled. If it
   * dies, its stream is reset with InternalError. The session continues in both cases. The session logs a defect as an
   * error, and a failure as a warning, with the id and type of the stream. A failure with an error of this library is
   * logged at debug level. A handler is interrupted when the peer resets its stream or when the session ends.
   * Interrupting `serve` interrupts all handlers.
   *
   * Each handler starts a new trace. Its spans have a link to the span in which `serve` runs. If an
   * option is wrong, the effect dies with `InvalidOptions`.
   */
  readonly serve: <A, E, R>(
    handler: (stream: MuxStream) => Effect.Effect<A, E, R>,
    options?: ServeOptions<E>
  ) => Effect.Effect<void, never, Exclude<R, Scope.Scope>>
  /**
   * Sends a heartbeat and returns the round-trip time. Fails with `InvalidOptions` on an untyped session, or with the
   * reason why no answer will come.
   */
  readonly ping: Effect.Effect<Duration.Duration, SessionError | StreamReset | InvalidOptions>
  /**
   * Sends GOAWAY at once: the peer may open no more streams, and learns the reason. Open streams continue. Rust's
   * muxado closes the session at any GOAWAY. To leave gracefully, use `drain`. The first `goAway` or `closeWith` with a
   * code other than NoError, or with a text, sets the reason that both sides see, also during a drain. Later ones, and
   * the GOAWAY that closes the session, do not replace it. A code that is no uint32 is a defect (`InvalidOptions`).
   */
  readonly goAway: (options?: GoAwayOptions) => Effect.Effect<void>
  /**
   * Closes the session without data loss: announces this with GOAWAY (unless `announceDrain` is `false`), accepts and
   * opens no more streams, completes `draining`, waits for the open streams, then closes. After `grace` (`drainTimeout`
   * by default), it resets the remaining streams with StreamCancelled. Continues if the caller is interrupted. A second
   * drain waits for the same streams, and the shorter grace of the two counts.
   *
   * Called from a handler of `serve` of this session, or from a fiber that the handler has forked, it waits for all
   * streams except those of handlers that wait in `drain`, and returns. The handler's own stream and the closing follow
   * in the background, within the same grace. While the handler waits, it does not count against `concurrency`.
   */
  readonly drain: (grace?: Duration.DurationInput) => Effect.Effect<void>
  /**
   * Closes the session. Local calls on streams fail with `SessionClosed`. The session sends the accepted bytes, then
   * GOAWAY. Completes when the transport is closed. This takes at most `closeTimeout` for the last bytes and
   * `closeTimeout` for the transport, even if the transport never answers. Continues if the caller is interrupted.
   */
  readonly close: Effect.Effect<void>
  /** `close`, and tells the peer why. A code that is no uint32 is a defect (`InvalidOptions`). */
  readonly closeWith: (options: GoAwayOptions) => Effect.Effect<void>
  /**
   * Waits until one side starts to leave: this side drains, the peer sends GOAWAY, or the session ends. Returns the
   * reason, with the code and text of the GOAWAY.
   */
  readonly draining: Effect.Effect<SessionError>
  /** Waits for the end of the session. Returns the reason, and which side caused it. */
  readonly closed: Effect.Effect<SessionError>
  /** What the session is doing at this moment, and has done since it began. */
  readonly stats: Effect.Effect<SessionStats>
}
