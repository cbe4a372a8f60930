/**
 * The options of sessions and servers, their defaults, and their check.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import type { FrameLogOptions } from "./FrameLog.js"
import { OptionsReader } from "./internal/support/optionsReader.js"
import { InvalidOptions } from "./MuxadoError.js"
import { MAX_UINT31 } from "./protocol/wire/frame.js"
import type { Rate } from "./protocol/budgets.js"
import type { ConnectionOptions, Role } from "./protocol/options.js"
import { CONVENTIONAL_WINDOW } from "./protocol/receiving/receiveWindow.js"

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

/**
 * The options of a session with every default filled in, as `resolve` makes them. The object is frozen. You can pass it
 * as `SessionOptions`; resolving it again only costs a look-up.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResolvedOptions {
  readonly typed: boolean
  /** `false` for a side that sends no heartbeats. */
  readonly heartbeat: false | { readonly interval: Duration.Duration; readonly tolerance: Duration.Duration }
  /** In bytes, like `maxWindow`, `growthLimit`, `peerWindow`, `maxSendBuffer` and `maxReceiveBuffer`. */
  readonly window: number
  readonly maxWindow: number
  readonly growthLimit: number
  /** `window` unless it was given. */
  readonly peerWindow: number
  readonly maxSendBuffer: number
  /** `maxInboundStreams` times `window` unless it was given. */
  readonly maxReceiveBuffer: number
  /** Streams; `maxInboundStreams` unless it was given. */
  readonly acceptBacklog: number
  readonly maxInboundStreams: number
  readonly maxOutboundStreams: number
  readonly maxIdGaps: number
  readonly resetBudget: Rate
  readonly refusalBudget: Rate
  readonly uselessFrameBudget: Rate
  readonly spareIncrements: number
  readonly typeTimeout: Duration.Duration
  readonly writeTimeout: Duration.Duration
  readonly partialFrameTimeout: Duration.Duration
  /** `false` where frames are not logged. */
  readonly frameLog: false | FrameLogOptions
  readonly announceDrain: boolean
  readonly drainTimeout: Duration.Duration
  readonly closeTimeout: Duration.Duration
}

/**
 * The options of a server with every default filled in: its own, and those of its sessions.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResolvedServerOptions {
  readonly maxConnections: number
  readonly stopDelay: Duration.Duration
  /** The options of each session. It is the same object as `resolved`. */
  readonly session: SessionOptions
  readonly resolved: ResolvedOptions
}

/**
 * The options and the role of a session.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResolvedSession {
  readonly role: Role
  readonly resolved: ResolvedOptions
}

/**
 * Checks the options and fills in the defaults. Later changes to the object have no effect. Fails with
 * `InvalidOptions`, whose `detail` has one line for each option that is wrong or does not exist.
 *
 * @example
 * ```ts
 * import { Session } from "effect-muxado"
 *
 * // building it fails: "Invalid options: window: must be an integer from 16 to 2147483647 (bytes), not 3"
 * export const wrong = Session.layerClient({ window: 3 })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolve = (options?: SessionOptions): Either.Either<ResolvedOptions, InvalidOptions> => {
  if (options !== undefined && isResolved(options)) return Either.right(options)
  const reader = OptionsReader.over<keyof SessionOptions>(options)
  return checked(reader, readSession(reader))
}

/**
 * As `resolve`, with the session's role among the options: `"client"` or `"server"`, which has no default. `usage` is
 * the call that the error names for options that are no object.
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolveSession = (
  options: MakeOptions,
  usage?: string
): Either.Either<ResolvedSession, InvalidOptions> => {
  const reader = OptionsReader.over<keyof MakeOptions>(options, usage)
  const role = reader.word("role", ["client", "server"])
  return checked(reader, { role, resolved: readSession(reader) })
}

/**
 * As `resolve`, for the options of a server. All sessions of the server share the result, so the options are checked
 * once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolveServer = (options?: ServerOptions): Either.Either<ResolvedServerOptions, InvalidOptions> => {
  const reader = OptionsReader.over<keyof ServerOptions>(options)
  const maxConnections = reader.integer("maxConnections", 10_000, { least: 1, most: 1_000_000_000 })
  const stopDelay = reader.pause("stopDelay")
  const resolved = readSession(reader)
  return checked(reader, { maxConnections, stopDelay, session: resolved, resolved })
}

const resolvedBefore = new WeakSet<object>()

const isResolved = (options: SessionOptions): options is ResolvedOptions => resolvedBefore.has(options)

/**
 * The result, or `InvalidOptions` with the lines of the reader.
 *
 * @since 0.1.0
 * @category constructors
 */
export const checked = <Name extends string, A>(
  reader: OptionsReader<Name>,
  result: A
): Either.Either<A, InvalidOptions> => {
  const lines = reader.lines()
  return lines.length === 0 ? Either.right(result) : Either.left(new InvalidOptions({ detail: lines.join("\n") }))
}

/** A number of streams or of gaps between them. */
const COUNT = { least: 1, most: 1_000_000 }

const WINDOW = { least: 16, most: MAX_UINT31, unit: "bytes" } as const

/**
 * Reads the options of a session from an object that may have more options.
 *
 * @since 0.1.0
 * @category constructors
 */
export const readSession = (reader: OptionsReader<keyof SessionOptions>): ResolvedOptions => {
  const window = reader.integer("window", CONVENTIONAL_WINDOW, WINDOW)
  const maxInboundStreams = reader.integer("maxInboundStreams", 1024, COUNT)
  const resolved: ResolvedOptions = {
    typed: reader.boolean("typed", true),
    heartbeat: reader.falseOrWithin("heartbeat", '{ interval: "10 seconds" }', readHeartbeat),
    window,
    maxWindow: reader.integer("maxWindow", 16 * 1024 * 1024, WINDOW),
    growthLimit: reader.integer("growthLimit", 64 * 1024 * 1024, {
      least: 0,
      most: Number.MAX_SAFE_INTEGER,
      unit: "bytes"
    }),
    peerWindow: reader.integer("peerWindow", window, WINDOW),
    maxSendBuffer: reader.integer("maxSendBuffer", 1024 * 1024, { least: 1024, most: MAX_UINT31, unit: "bytes" }),
    maxReceiveBuffer: reader.integer("maxReceiveBuffer", maxInboundStreams * window, {
      least: 1024,
      most: Number.MAX_SAFE_INTEGER,
      unit: "bytes"
    }),
    acceptBacklog: reader.integer("acceptBacklog", maxInboundStreams, COUNT),
    maxInboundStreams,
    maxOutboundStreams: reader.integer("maxOutboundStreams", 1024, COUNT),
    maxIdGaps: reader.integer("maxIdGaps", 1024, COUNT),
    resetBudget: reader.within("resetBudget", "{ burst: 2048, perSecond: 1000 }", rate(2048)),
    refusalBudget: reader.within("refusalBudget", "{ burst: 4096, perSecond: 1000 }", rate(4096)),
    uselessFrameBudget: reader.within("uselessFrameBudget", "{ burst: 4096, perSecond: 1000 }", rate(4096)),
    spareIncrements: reader.integer("spareIncrements", 1024, { least: 0, most: 1_000_000_000 }),
    typeTimeout: reader.duration("typeTimeout", "10 seconds"),
    writeTimeout: reader.duration("writeTimeout", "30 seconds"),
    partialFrameTimeout: reader.duration("partialFrameTimeout", "30 seconds"),
    frameLog: reader.booleanOrWithin("frameLog", '{ session: "users" }', readFrameLog),
    announceDrain: reader.boolean("announceDrain", true),
    drainTimeout: reader.duration("drainTimeout", "5 seconds"),
    closeTimeout: reader.duration("closeTimeout", "2 seconds")
  }
  if (!resolved.typed && resolved.heartbeat !== false && !reader.isWrong("typed", "heartbeat")) {
    reader.refuse("heartbeat", "must be false where typed is false: heartbeats need typed streams")
  }
  if (resolved.maxReceiveBuffer < window && !reader.isWrong("maxReceiveBuffer", "window")) {
    const { maxReceiveBuffer } = resolved
    reader.refuse(
      "maxReceiveBuffer",
      `must be at least the window of one stream (${window} bytes), not ${maxReceiveBuffer}`
    )
  }
  resolvedBefore.add(resolved)
  return Object.freeze(resolved)
}

const readHeartbeat = (reader: OptionsReader<"interval" | "tolerance">): Exclude<ResolvedOptions["heartbeat"], false> =>
  Object.freeze({
    interval: reader.duration("interval", "10 seconds"),
    tolerance: reader.duration("tolerance", "15 seconds")
  })

const readFrameLog = (reader: OptionsReader<keyof FrameLogOptions>): FrameLogOptions =>
  Object.freeze({
    level: reader.logLevel("level"),
    session: reader.text("session"),
    types: reader.numbered("types")
  })

const rate =
  (burst: number) =>
  (reader: OptionsReader<keyof Rate>): Rate =>
    Object.freeze({
      burst: reader.integer("burst", burst, { least: 1, most: 1_000_000_000 }),
      perSecond: reader.number("perSecond", 1000, 0, 1_000_000_000)
    })

/**
 * Converts the options to those of the protocol core, in milliseconds and bytes.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toConnectionOptions = (role: Role, options: ResolvedOptions): ConnectionOptions => ({
  ...options,
  role,
  heartbeat:
    options.heartbeat === false
      ? undefined
      : {
          interval: Duration.toMillis(options.heartbeat.interval),
          tolerance: Duration.toMillis(options.heartbeat.tolerance)
        },
  typeTimeout: Duration.toMillis(options.typeTimeout),
  writeTimeout: Duration.toMillis(options.writeTimeout),
  partialFrameTimeout: Duration.toMillis(options.partialFrameTimeout)
})
