/**
 * The options of sessions and servers.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { FrameLogOptions } from "./FrameLog.js"
import type { Role } from "./protocol/options.js"

/**
 * A leaky bucket: it holds up to `burst` charges, and drains `perSecond` charges each second. Both have defaults.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateOptions {
  /** How many at once. */
  readonly burst?: number | undefined
  /** How many a second, for as long as the session lives. */
  readonly perSecond?: number | undefined
}

/**
 * The options of a session. Both sides must use the same `typed`. Windows are not negotiated, so the `window` of one
 * side must be the `peerWindow` of the other.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionOptions {
  /** Every stream begins with a 32-bit type; needed for heartbeats. Default true. */
  readonly typed?: boolean | undefined
  /**
   * If the peer sends nothing for `interval`, the session sends a heartbeat. If the peer then sends nothing for
   * `tolerance`, the session ends with `SessionDead` (`"Heartbeat"`). Default: 10 and 15 seconds. With `false`, the
   * session sends none, but still answers the peer's.
   */
  readonly heartbeat?:
    | false
    | {
        /** The silence after which a heartbeat is sent. Default 10 seconds. */
        readonly interval?: Duration.DurationInput | undefined
        /** The further silence after which the session is dead. Default 15 seconds. */
        readonly tolerance?: Duration.DurationInput | undefined
      }
    | undefined
  /**
   * The number of bytes that the peer may send on each stream before this side grants more credit. Default 262,144,
   * which Go and Rust assume. If the peer sends more than it has credit for, its stream is reset with FlowControlError.
   */
  readonly window?: number | undefined
  /**
   * The maximum window of a stream, in bytes. A window grows while the application reads as fast as bytes arrive; a
   * stream needs twice the bytes that arrive in one round trip. Default: 16 MiB. If `window` is equal or larger,
   * windows do not grow.
   */
  readonly maxWindow?: number | undefined
  /**
   * The maximum growth of all windows together, in bytes. It is also limited by the free part of `maxReceiveBuffer`.
   * Default 64 MiB. With 0, windows never grow.
   */
  readonly growthLimit?: number | undefined
  /**
   * The `window` of the peer in bytes, if it differs from this side's: the bytes that may be sent on a stream before the
   * first increment. Default: `window`.
   */
  readonly peerWindow?: number | undefined
  /** The maximum number of unsent bytes of all streams together. Writers wait while it is reached. Default 1 MiB. */
  readonly maxSendBuffer?: number | undefined
  /**
   * The maximum number of unread bytes of all streams together. It must be at least one window. If it is exceeded, the
   * session resets the streams with the most unread bytes with EnhanceYourCalm. If that is not enough, it resets or
   * refuses the stream of the frame. Default: `maxInboundStreams` × `window`, which is 256 MiB. With the default, a peer
   * that respects its initial windows loses nothing.
   */
  readonly maxReceiveBuffer?: number | undefined
  /**
   * The maximum number of streams that wait to be accepted. Further streams are reset with AcceptQueueFull. Default:
   * `maxInboundStreams`, so that a `serve` with a low concurrency refuses no stream that the session has room for.
   */
  readonly acceptBacklog?: number | undefined
  /** The maximum number of open streams of the peer. Further streams are reset with StreamRefused. Default 1,024. */
  readonly maxInboundStreams?: number | undefined
  /** The maximum number of open streams of this side. `open` waits while it is reached. Default 1,024. */
  readonly maxOutboundStreams?: number | undefined
  /**
   * The maximum number of gaps in the peer's stream ids. If there are more, the session ends with EnhanceYourCalm.
   * Default 1,024.
   */
  readonly maxIdGaps?: number | undefined
  /**
   * The number of streams that the peer may open and then reset, or that this side may reset because the peer broke a
   * rule. If it is exceeded, the session ends with EnhanceYourCalm. The same holds for the budgets below. Default: a
   * burst of 2,048 (twice the default of `maxInboundStreams`), and 1,000 each second.
   */
  readonly resetBudget?: RateOptions | undefined
  /**
   * The number of streams of the peer that may be refused because a limit is reached. Default 4,096 at once, 1,000 a
   * second.
   */
  readonly refusalBudget?: RateOptions | undefined
  /**
   * The number of frames without effect that the peer may send: empty DATA, unknown types, frames for unknown streams.
   * Default 4,096 at once, 1,000 a second.
   */
  readonly uselessFrameBudget?: RateOptions | undefined
  /**
   * The number of increments (WNDINC) that the peer may send in addition to one for each stream and one for each byte
   * that this side sent. Default 1,024.
   */
  readonly spareIncrements?: number | undefined
  /** How long a stream of the peer may take to send its type; then it is refused. Default 10 seconds. */
  readonly typeTimeout?: Duration.DurationInput | undefined
  /** How long one write may take; then the session ends with `SessionDead` (`"WriteStalled"`). Default 30 seconds. */
  readonly writeTimeout?: Duration.DurationInput | undefined
  /**
   * How long the peer may be silent within a frame; then the session ends with `SessionDead` (`"PartialFrame"`).
   * Default 30 seconds.
   */
  readonly partialFrameTimeout?: Duration.DurationInput | undefined
  /**
   * Logs every frame: `true`, or at a level, with a name for the session and names for stream types. Slower. Default
   * false.
   */
  readonly frameLog?: boolean | FrameLogOptions | undefined
  /**
   * Whether `drain` begins with a GOAWAY, so that the peer opens its next streams elsewhere. Default true. Set it to
   * `false` for a peer that treats every GOAWAY as the end of the session, as muxado in Rust does: then the drain sends
   * its only GOAWAY at its end.
   */
  readonly announceDrain?: boolean | undefined
  /**
   * How long `drain`, and the end of the session's scope, wait for the streams in flight; then these are reset. Default
   * 5 seconds.
   */
  readonly drainTimeout?: Duration.DurationInput | undefined
  /**
   * The time limit of `close` for sending accepted bytes, and the same time again for closing the transport. Default 2
   * seconds each.
   */
  readonly closeTimeout?: Duration.DurationInput | undefined
}

/**
 * The options of a session, and which end of the connection it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface MakeOptions extends SessionOptions {
  /** `"client"` for the side that dialled, `"server"` for the side that listened. It has no default. */
  readonly role: Role
}

/**
 * The options of a server: those of each of its sessions, and its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptions extends SessionOptions {
  /**
   * The maximum number of connections at the same time, without TLS handshakes in progress. Further connections are
   * closed at once. Default 10,000.
   */
  readonly maxConnections?: number | undefined
  /**
   * How long the server still accepts and serves connections after `run` was interrupted, before it drains. A load
   * balancer that does not know yet that this server leaves sends connections in this time. Default 0.
   */
  readonly stopDelay?: Duration.DurationInput | undefined
}
