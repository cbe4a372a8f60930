/**
 * The options with every default filled in, and their check.
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
import type { MakeOptions, ServerOptions, SessionOptions } from "./SessionOptions.js"

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
