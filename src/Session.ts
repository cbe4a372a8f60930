/**
 * One muxado session over one transport: streams opened from either side, heartbeats, and orderly endings.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import type { Inspectable } from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as FrameLog from "./FrameLog.js"
import * as FrameReader from "./FrameReader.js"
import * as FrameWriter from "./FrameWriter.js"
import { describe } from "./internal/support/describe.js"
import { isMarked, SessionTypeId } from "./internal/support/typeIds.js"
import { carriers, CARRIES_ONE, hasOperations, noTransport } from "./internal/session/carriers.js"
import { drive } from "./internal/session/shutdown.js"
import { SessionState } from "./internal/session/state.js"
import { fromRuntime, saying } from "./internal/session/service.js"
import { fastPathFault } from "./internal/transport/fastPath.js"
import { simulatedBy } from "./internal/transport/simulated.js"
import type { OpenError, SessionError, StreamReset } from "./MuxadoError.js"
import { InvalidOptions } from "./MuxadoError.js"
import type { MuxStream } from "./MuxStream.js"
import type { Role } from "./protocol/options.js"
import type { ConnectionStats } from "./protocol/stats.js"
import type { MakeOptions, ResolvedSession, SessionOptions } from "./SessionOptions.js"
import { resolve, resolveSession, toConnectionOptions } from "./SessionOptions.js"
import type { Peer, TransportService } from "./Transport.js"
import { Transport } from "./Transport.js"

export type { Role } from "./protocol/options.js"

export type { MakeOptions } from "./SessionOptions.js"

export { SessionTypeId as TypeId } from "./internal/support/typeIds.js"

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

/**
 * The session that a program talks over.
 *
 * @since 0.1.0
 * @category tags
 */
export class Session extends Context.Tag("effect-muxado/Session")<Session, SessionService>() {}

/**
 * Whether a value is a session, of this copy of the library or of another. Takes any value, and never throws.
 *
 * @since 0.1.0
 * @category guards
 */
export const isSession = (value: unknown): value is SessionService => isMarked(value, SessionTypeId)

/**
 * Starts a session over the transport, reader and writer of the context. Its scope's end drains it, within `drainTimeout`
 * and the time that `close` may take. Fails with `InvalidOptions`: for a wrong option, and for a transport that already
 * carries a session. The options are read when it is called.
 *
 * @example
 * ```ts
 * import { Session } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * // its context: Transport, FrameReader and FrameWriter
 * const ping = Effect.scoped(Effect.flatMap(Session.make({ role: "client" }), (session) => session.ping))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: MakeOptions
): Effect.Effect<
  SessionService,
  InvalidOptions,
  Transport | FrameReader.FrameReader | FrameWriter.FrameWriter | Scope.Scope
> => start(resolveSession(options, 'Session.make({ role: "client", ...options })'))

type Resolving = Either.Either<ResolvedSession, InvalidOptions>

const start = Effect.fn("effect-muxado/Session.make")(function* (
  resolving: Resolving
): Effect.fn.Return<
  SessionService,
  InvalidOptions,
  Transport | FrameReader.FrameReader | FrameWriter.FrameWriter | Scope.Scope
> {
  const { resolved, role } = yield* resolving
  const transport = yield* Transport
  if (!hasOperations(transport)) return yield* new InvalidOptions({ detail: noTransport(transport) })
  const reader = yield* FrameReader.FrameReader
  const writer = yield* FrameWriter.FrameWriter
  const fault =
    fastPathFault(transport, "transport", ["each", "tryWrite"]) ??
    fastPathFault(reader, "reader", ["each"]) ??
    fastPathFault(writer, "writer", ["tryWrite"])
  if (fault !== undefined) return yield* new InvalidOptions({ detail: fault })
  if (carriers.has(transport)) return yield* new InvalidOptions({ detail: CARRIES_ONE })
  carriers.add(transport)
  const runtime = yield* SessionState.make(toConnectionOptions(role, resolved))
  const { frameLog } = resolved
  const driver = yield* drive(runtime, {
    ...(frameLog === false ? { reader, writer } : FrameLog.make(reader, writer, frameLog)),
    transport,
    closeTimeout: resolved.closeTimeout
  })
  // the scope may be closed by a fiber with another clock, whose time says nothing about this session's
  const clock = yield* Effect.clock
  const simulated = simulatedBy(transport)
  const whileClosing = (effect: Effect.Effect<void>) => simulated.whileClosing(Effect.withClock(effect, clock))
  // an ending goes on although whoever asked for it is interrupted; it is bounded in time, and works after the scope's
  const ending = (effect: Effect.Effect<void>) => {
    const joined = Effect.flatMap(Effect.forkDaemon(effect), Fiber.join)
    // finalizers are what cannot be interrupted: nothing else of the program goes on meanwhile
    return Effect.checkInterruptible((interruptible) =>
      interruptible ? Effect.withClock(joined, clock) : whileClosing(joined)
    )
  }
  const closeWith = (reason?: GoAwayOptions) =>
    saying("closeWith", reason, (code, debug) => ending(driver.close(code, debug)))
  const drain = (grace: Duration.DurationInput = resolved.drainTimeout) =>
    Option.match(Duration.decodeUnknown(grace), {
      onNone: () =>
        Effect.die(new InvalidOptions({ detail: `drain: the grace must be a duration, not ${describe(grace)}` })),
      onSome: (limit) => ending(driver.drain(limit))
    })
  yield* Effect.addFinalizer(() =>
    // whoever would have accepted these has gone before
    Effect.zipRight(
      Effect.sync(() => runtime.accepting.refuseAll()),
      whileClosing(driver.drain(resolved.drainTimeout))
    )
  )
  const session = fromRuntime(role, transport.peer, runtime, resolved, {
    close: closeWith({}),
    closeWith,
    drain
  })
  simulated.carries(session)
  return session
})

/**
 * Starts a session over a transport that the caller has made, with the library's own reader and writer. Its scope's end
 * drains it, as with `make`. Fails with `InvalidOptions`: for a wrong option, and for a transport that already carries a
 * session.
 *
 * @example
 * ```ts
 * import { Session, type Transport } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * const program = (transport: Transport.TransportService) =>
 *   Effect.gen(function* () {
 *     const session = yield* Session.fromTransport(transport, { role: "client" })
 *     return yield* session.ping
 *   }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromTransport = (
  transport: TransportService,
  options: MakeOptions
): Effect.Effect<SessionService, InvalidOptions, Scope.Scope> =>
  hasOperations(transport)
    ? startOver(transport, resolveSession(options, FROM_TRANSPORT))
    : Effect.fail(new InvalidOptions({ detail: `${noTransport(transport)}: call ${FROM_TRANSPORT}` }))

const FROM_TRANSPORT = 'Session.fromTransport(transport, { role: "client", ...options })'

const startOver = (
  transport: TransportService,
  resolving: Resolving
): Effect.Effect<SessionService, InvalidOptions, Scope.Scope> =>
  start(resolving).pipe(
    Effect.provideService(Transport, transport),
    Effect.provideService(FrameReader.FrameReader, FrameReader.make(transport)),
    Effect.provideService(FrameWriter.FrameWriter, FrameWriter.make(transport))
  )

/**
 * A session over the reader and the writer of the context; `FrameLog.layer` goes between. Provided with two transports, it
 * is two sessions.
 *
 * @example
 * ```ts
 * import { FrameReader, FrameWriter, Session } from "effect-muxado"
 * import { Layer } from "effect"
 *
 * const SessionLive = Session.layer({ role: "client" }).pipe(
 *   Layer.provide(Layer.merge(FrameReader.layer, FrameWriter.layer))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: MakeOptions
): Layer.Layer<Session, InvalidOptions, Transport | FrameReader.FrameReader | FrameWriter.FrameWriter> =>
  Layer.fresh(Layer.scoped(Session, start(resolveSession(options, 'Session.layer({ role: "client", ...options })'))))

const layerDefault = (role: Role) => (options?: SessionOptions) => {
  const resolving = Either.map(resolve(options), (resolved) => ({ role, resolved }))
  return Layer.fresh(
    Layer.scoped(
      Session,
      Effect.flatMap(Transport, (transport) => startOver(transport, resolving))
    )
  )
}

/**
 * The session of the side that dialled: its streams have odd ids. Composed once with a transport's layer and used twice, it
 * is one session; provided with two transports, it is two.
 *
 * @example
 * ```ts
 * import { Session } from "effect-muxado"
 * import { NodeTransport } from "effect-muxado/node"
 * import { Effect, Layer } from "effect"
 *
 * const SessionLive = Session.layerClient().pipe(Layer.provide(NodeTransport.layerTcp({ port: 7000 })))
 *
 * const program = Effect.flatMap(Session.Session, (session) => session.withStream((stream) => stream.write("hello")))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClient: (options?: SessionOptions) => Layer.Layer<Session, InvalidOptions, Transport> =
  layerDefault("client")

/**
 * The session of the side that listened: its streams have even ids. As `layerClient` otherwise.
 *
 * @example
 * ```ts
 * import { Session } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * const program = Effect.flatMap(Session.Session, (session) => session.serve((stream) => stream.write("hello")))
 *
 * // its context: the Transport of a client's connection
 * const serving = Effect.provide(program, Session.layerServer())
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerServer: (options?: SessionOptions) => Layer.Layer<Session, InvalidOptions, Transport> =
  layerDefault("server")
