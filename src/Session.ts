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
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as FrameLog from "./FrameLog.js"
import * as FrameReader from "./FrameReader.js"
import * as FrameWriter from "./FrameWriter.js"
import { describe } from "./internal/support/describe.js"
import { race } from "./internal/support/race.js"
import { isMarked, SessionTypeId } from "./internal/support/typeIds.js"
import { carriers, CARRIES_ONE, hasOperations, noTransport } from "./internal/session/carriers.js"
import { drive } from "./internal/session/shutdown.js"
import { SessionState } from "./internal/session/state.js"
import { registerState } from "./internal/session/states.js"
import { fromRuntime, saying } from "./internal/session/service.js"
import type { GoAwayOptions, SessionService } from "./internal/session/sessionService.js"
import { fastPathFault } from "./internal/transport/fastPath.js"
import { simulatedBy } from "./internal/transport/simulated.js"
import { InvalidOptions } from "./MuxadoError.js"
import type { Role } from "./protocol/options.js"
import type { ResolvedSession } from "./ResolvedOptions.js"
import { resolve, resolveSession, toConnectionOptions } from "./ResolvedOptions.js"
import type { MakeOptions, SessionOptions } from "./SessionOptions.js"
import type { TransportService } from "./Transport.js"
import { Transport } from "./Transport.js"

export type { Role } from "./protocol/options.js"

export type { MakeOptions } from "./SessionOptions.js"

export { SessionTypeId as TypeId } from "./internal/support/typeIds.js"

export type {
  GoAwayOptions,
  OpenOptions,
  ServeOptions,
  SessionService,
  SessionStats
} from "./internal/session/sessionService.js"

/**
 * The session of a program, as a service.
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
 * Starts a session over the transport, reader and writer of the context. When its scope closes, the session drains.
 * This takes at most `drainTimeout` plus the time of `close`. Fails with `InvalidOptions`: for a wrong option, and for
 * a transport that already carries a session. The options are read when it is called.
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
  // a fiber with another clock may close the scope; the session keeps its own clock
  const clock = yield* Effect.clock
  const simulated = simulatedBy(transport)
  const whileClosing = (effect: Effect.Effect<void>) => simulated.whileClosing(Effect.withClock(effect, clock))
  // `close` and `drain` continue even if the caller is interrupted; they are bounded in time, and also work after the
  // scope has closed. A caller that has `enough` does not wait for the rest
  const ending = (effect: Effect.Effect<void>, enough?: Effect.Effect<void>) => {
    const joined = Effect.flatMap(Effect.forkDaemon(effect), (fiber) =>
      enough === undefined ? Fiber.join(fiber) : race(Fiber.join(fiber), enough)
    )
    // an uninterruptible caller is a finalizer; the program waits for it, so simulated time must advance by itself
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
      onSome: (limit) =>
        Effect.flatMap(runtime.drainingHandlers.ofFiber, (own) =>
          ending(driver.drain(limit), own.length === 0 ? undefined : runtime.drainBut(own))
        )
    })
  yield* Effect.addFinalizer(() =>
    // nothing can accept these streams any more, so refuse them before draining
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
  registerState(session, runtime)
  simulated.carries(session)
  return session
})

/**
 * Starts a session over a transport that the caller has made, with the library's own reader and writer. Its scope's end
 * drains it, as with `make`. Fails with `InvalidOptions`: for a wrong option, and for a transport that already carries
 * a session.
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
 * A session over the reader and the writer of the context; `FrameLog.layer` goes between. If you provide it with two
 * transports, you get two sessions.
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
 * The session of the side that dialled: its streams have odd ids. If you compose it once with a transport layer and use
 * the result twice, you get one session. If you provide it with two transports, you get two sessions.
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
 * The session of the side that listened: its streams have even ids. Otherwise it is the same as `layerClient`.
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
