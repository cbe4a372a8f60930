/**
 * What a session can be told, and what it does when it is told nothing.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { InvalidOptions } from "./MuxadoError.js"
import type { ConnectionOptions } from "./protocol/options.js"
import { MAX_UINT31 } from "./protocol/frame.js"
import { CONVENTIONAL_WINDOW } from "./protocol/window.js"

/** A positive, finite duration: a number of milliseconds, or what `Duration.decode` takes. */
const Time = Schema.transformOrFail(Schema.Unknown, Schema.DurationFromSelf, {
  strict: true,
  decode: (input, _, ast) =>
    Option.match(Duration.decodeUnknown(input), {
      onNone: () => ParseResult.fail(new ParseResult.Type(ast, input, "expected a duration")),
      onSome: (duration) =>
        Duration.isFinite(duration) && Duration.greaterThan(duration, Duration.zero)
          ? ParseResult.succeed(duration)
          : ParseResult.fail(new ParseResult.Type(ast, input, "expected a positive, finite duration"))
    }),
  encode: ParseResult.succeed
})

const time = (fallback: Duration.DurationInput) =>
  Schema.optionalWith(Time, { default: () => Duration.decode(fallback) })

const count = (fallback: number, least: number, most: number) =>
  Schema.optionalWith(Schema.Int.pipe(Schema.between(least, most)), { default: () => fallback })

const rate = (burst: number, perSecond: number) =>
  Schema.optionalWith(
    Schema.Struct({
      burst: count(burst, 1, 1_000_000_000),
      perSecond: Schema.optionalWith(Schema.Number.pipe(Schema.between(0, 1_000_000_000)), { default: () => perSecond })
    }),
    { default: () => ({ burst, perSecond }) }
  )

const Heartbeat = Schema.Struct({
  interval: time("10 seconds"),
  tolerance: time("15 seconds")
})

const Options = Schema.Struct({
  typed: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  heartbeat: Schema.optionalWith(Schema.Union(Schema.Literal(false), Heartbeat), {
    default: () => ({ interval: Duration.seconds(10), tolerance: Duration.seconds(15) })
  }),
  window: count(CONVENTIONAL_WINDOW, 16, MAX_UINT31),
  maxWindow: count(16 * 1024 * 1024, 16, MAX_UINT31),
  growthLimit: count(64 * 1024 * 1024, 0, Number.MAX_SAFE_INTEGER),
  peerWindow: Schema.optional(Schema.Int.pipe(Schema.between(16, MAX_UINT31))),
  outboundLimit: count(1024 * 1024, 1024, MAX_UINT31),
  receiveLimit: Schema.optional(Schema.Int.pipe(Schema.between(1024, Number.MAX_SAFE_INTEGER))),
  acceptBacklog: count(128, 1, 1_000_000),
  maxInboundStreams: count(1024, 1, 1_000_000),
  maxOutboundStreams: count(1024, 1, 1_000_000),
  maxSkippedIntervals: count(1024, 1, 1_000_000),
  resetBudget: rate(2048, 1000),
  refusalBudget: rate(4096, 1000),
  strayBudget: rate(4096, 1000),
  spareIncrements: count(1024, 0, 1_000_000_000),
  typeTimeout: time("10 seconds"),
  writeTimeout: time("30 seconds"),
  partialFrameTimeout: time("30 seconds"),
  drainTimeout: time("5 seconds"),
  closeTimeout: time("2 seconds")
}).pipe(
  Schema.filter((options) =>
    options.typed || options.heartbeat === false
      ? undefined
      : "heartbeats need typed streams: give `heartbeat: false` with `typed: false`"
  ),
  Schema.filter(({ receiveLimit, window }) =>
    receiveLimit === undefined || receiveLimit >= window
      ? undefined
      : "the window of a single stream must fit into the receiveLimit of all of them"
  )
)

/**
 * So much at once, and so much a second for ever.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rate {
  readonly burst?: number | undefined
  readonly perSecond?: number | undefined
}

/**
 * The options of a session. Both sides must agree on `typed` and, as they are not negotiated, on the windows: the
 * `window` of one is the `peerWindow` of the other.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionOptions {
  /** Every stream begins with a 32-bit type; needed for heartbeats. Default true. */
  readonly typed?: boolean | undefined
  /**
   * After `interval` without a byte from the peer a heartbeat is sent, and after `tolerance` more the session is dead.
   * Default 10 and 15 seconds; `false` for none (the peer's are still answered).
   */
  readonly heartbeat?:
    | false
    | {
        readonly interval?: Duration.DurationInput | undefined
        readonly tolerance?: Duration.DurationInput | undefined
      }
    | undefined
  /**
   * The bytes that the peer may send on every stream before it is given more. Default 262,144, which is what Go and Rust
   * take for granted; a peer that sends more than this at once has its stream reset with FlowControlError.
   */
  readonly window?: number | undefined
  /**
   * What the window of a stream may grow to, in bytes, while it is read as fast as it comes: a stream needs twice the
   * bytes that are under way in a round trip. Default 16 MiB; nothing grows where `window` is as large or larger.
   */
  readonly maxWindow?: number | undefined
  /**
   * By how many bytes the windows of all streams together may grow; never beyond what `receiveLimit` has left for them.
   * Default 64 MiB; 0 for windows that never grow.
   */
  readonly growthLimit?: number | undefined
  /** The `window` of the peer, where it is configured unlike this side: what may be sent to it at first. Default `window`. */
  readonly peerWindow?: number | undefined
  /** Bytes that may wait to be sent, for all streams together; writers wait beyond it. Default 1 MiB. */
  readonly outboundLimit?: number | undefined
  /**
   * Received bytes that may wait to be read, in all streams together, at least one window. Beyond it those streams that
   * hold most are reset with EnhanceYourCalm, and new ones refused where that does not help. Default: as much as the
   * windows of `maxInboundStreams` streams, which is 256 MiB, so that a peer that keeps to its windows loses nothing.
   */
  readonly receiveLimit?: number | undefined
  /** Streams of the peer that may wait to be accepted; more draw an RST AcceptQueueFull. Default 128. */
  readonly acceptBacklog?: number | undefined
  /** Live streams that the peer may have open; more draw an RST StreamRefused. Default 1,024. */
  readonly maxInboundStreams?: number | undefined
  /** Live streams that this side opens; `open` waits beyond it. Default 1,024. */
  readonly maxOutboundStreams?: number | undefined
  /** Gaps in the peer's stream ids that are remembered; more end the session with EnhanceYourCalm. Default 1,024. */
  readonly maxSkippedIntervals?: number | undefined
  /**
   * How many streams the peer may open and reset again, or have reset by breaking the rules; more end the session with
   * EnhanceYourCalm, as with the budgets below. Default 2,048 at once, which is twice `maxInboundStreams`, and 1,000 a
   * second.
   */
  readonly resetBudget?: Rate | undefined
  /** How many streams of the peer may be refused for want of room. Default 4,096 at once, 1,000 a second. */
  readonly refusalBudget?: Rate | undefined
  /** How many frames may come that do nothing. Default 4,096 at once, 1,000 a second. */
  readonly strayBudget?: Rate | undefined
  /** How many increments may come beyond one for each stream and for each byte that was sent. Default 1,024. */
  readonly spareIncrements?: number | undefined
  /** How long a stream of the peer may take to send its type. Default 10 seconds. */
  readonly typeTimeout?: Duration.DurationInput | undefined
  /** How long the transport may take for one write. Default 30 seconds. */
  readonly writeTimeout?: Duration.DurationInput | undefined
  /** How long the peer may be silent within a frame. Default 30 seconds. */
  readonly partialFrameTimeout?: Duration.DurationInput | undefined
  /** How long closing the session's scope waits for the streams in flight. Default 5 seconds. */
  readonly drainTimeout?: Duration.DurationInput | undefined
  /** How long `close` may take to send what was accepted, and then the transport to end. Default 2 seconds each. */
  readonly closeTimeout?: Duration.DurationInput | undefined
}

/**
 * The options of a server: those of each of its sessions, and its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptions extends SessionOptions {
  /** Connections at the same time, without those in their TLS handshake; more are closed as they come. Default 10,000. */
  readonly maxConnections?: number | undefined
}

/**
 * The options with every default filled in.
 *
 * @since 0.1.0
 * @category models
 */
export type ResolvedOptions = typeof Options.Type

const decode = Schema.decodeUnknown(Options, { errors: "all", onExcessProperty: "error" })

const decodeServer = Schema.decodeUnknown(Schema.Struct({ maxConnections: count(10_000, 1, 1_000_000_000) }))

const invalid = (error: ParseResult.ParseError): InvalidOptions =>
  new InvalidOptions({ detail: ParseResult.TreeFormatter.formatErrorSync(error), cause: error })

/**
 * Checks the options and fills in the defaults. Fails with `InvalidOptions`, which names every field that is wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolve = (options: SessionOptions): Effect.Effect<ResolvedOptions, InvalidOptions> =>
  Effect.mapError(decode(options), invalid)

/**
 * Checks the options of a server: its own with the defaults filled in, those of its sessions as they were given and with
 * the defaults. Fails with `InvalidOptions`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolveServer = ({ maxConnections, ...session }: ServerOptions) =>
  Effect.map(
    Effect.zip(Effect.mapError(decodeServer({ maxConnections }), invalid), resolve(session)),
    ([own, resolved]) => ({ ...own, session, resolved })
  )

/**
 * The options as the protocol core takes them: milliseconds and bytes.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toConnectionOptions = (role: "client" | "server", options: ResolvedOptions): ConnectionOptions => ({
  role,
  typed: options.typed,
  heartbeat:
    options.heartbeat === false
      ? undefined
      : {
          interval: Duration.toMillis(options.heartbeat.interval),
          tolerance: Duration.toMillis(options.heartbeat.tolerance)
        },
  window: options.window,
  maxWindow: options.maxWindow,
  growthLimit: options.growthLimit,
  peerWindow: options.peerWindow ?? options.window,
  outboundLimit: options.outboundLimit,
  receiveLimit: options.receiveLimit ?? options.maxInboundStreams * options.window,
  acceptBacklog: options.acceptBacklog,
  maxInboundStreams: options.maxInboundStreams,
  maxOutboundStreams: options.maxOutboundStreams,
  maxSkippedIntervals: options.maxSkippedIntervals,
  resetBudget: options.resetBudget,
  refusalBudget: options.refusalBudget,
  strayBudget: options.strayBudget,
  spareIncrements: options.spareIncrements,
  typeTimeout: Duration.toMillis(options.typeTimeout),
  writeTimeout: Duration.toMillis(options.writeTimeout),
  partialFrameTimeout: Duration.toMillis(options.partialFrameTimeout)
})
