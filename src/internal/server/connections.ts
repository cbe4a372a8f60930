/** Runs a session for each connection of a server, for every kind of listener. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { ServerFailed, TransportFailed } from "../../MuxadoError.js"
import { isMuxadoError } from "../../MuxadoError.js"
import type { SessionService } from "../../Session.js"
import * as Session from "../../Session.js"
import type { ResolvedOptions } from "../../ResolvedOptions.js"
import type { SessionOptions } from "../../SessionOptions.js"
import type { TransportService } from "../../Transport.js"
import { peerInWords } from "../transport/peerText.js"
import { millis } from "../support/clock.js"
import { race } from "../support/race.js"
import { Runner } from "../support/run.js"

type MakeTransport = Effect.Effect<TransportService, TransportFailed, Scope.Scope>

interface Options {
  readonly session: SessionOptions
  readonly resolved: ResolvedOptions
  readonly maxConnections: number
  readonly stopDelay: Duration.Duration
}

/** The sessions of a server. */
class Sessions extends Set<SessionService> {
  /** New sessions are drained at once. */
  isDraining = false
}

/** Information from the server about one connection. */
export interface Origin {
  /** Additional services for the connection's handler. */
  readonly services?: Context.Context<never> | undefined
  /** The address of the peer, if the transport does not know it. */
  readonly peer?: string | undefined
}

/** Starts a fiber for a connection. Only the end of the server interrupts it. */
export type OnConnection = (transport: MakeTransport, origin?: Origin) => Fiber.RuntimeFiber<void>

/**
 * Listens with `listen`, and runs `handler` with a session for each connection. An interruption ends `listen` after
 * `stopDelay`. When `listen` ends, it drains all sessions at the same time. Then it interrupts the fibers that still run.
 */
export const runConnections = <A, E, R>(
  options: Options,
  handler: (session: SessionService) => Effect.Effect<A, E, R>,
  listen: (onConnection: OnConnection) => Effect.Effect<never, ServerFailed>
): Effect.Effect<never, ServerFailed, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const runner = yield* Runner.current<Exclude<R, Scope.Scope>>()
      const links = yield* linksToHere
      const sessions = new Sessions()
      const fibers = yield* FiberSet.make<void>()
      let open = 0
      const onConnection: OnConnection = (transport, origin = {}) => {
        const work: Effect.Effect<void, never, Exclude<R, Scope.Scope>> = open < options.maxConnections
          ? connection(transport, origin, links, options, handler, sessions)
          : refuse(transport, `the limit of ${options.maxConnections} connections is reached (maxConnections)`)
        open++
        const fiber = runner.fork(
          Effect.ensuring(
            work,
            Effect.sync(() => open--)
          )
        )
        FiberSet.unsafeAdd(fibers, fiber)
        return fiber
      }
      const drained = Effect.suspend(() => {
        sessions.isDraining = true
        return Effect.forEach([...sessions], (session) => session.drain(), { concurrency: "unbounded", discard: true })
      })
      return yield* Effect.ensuring(endLater(listen(onConnection), options.stopDelay), drained)
    })
  )

/** Runs an effect. If it is interrupted, the effect continues for `delay`. */
const endLater = <A, E>(effect: Effect.Effect<A, E>, delay: Duration.Duration): Effect.Effect<A, E> =>
  Duration.toMillis(delay) === 0
    ? effect
    : Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), (fiber) =>
          restore(Fiber.join(fiber)).pipe(
            Effect.onInterrupt(() => race(Effect.sleep(delay), Fiber.await(fiber))),
            Effect.ensuring(Fiber.interrupt(fiber))
          )
        )
      )

/** A link to the span of the fiber that runs this; empty if it has none. */
const linksToHere: Effect.Effect<ReadonlyArray<Tracer.SpanLink>> = Effect.currentParentSpan.pipe(
  Effect.map((span): ReadonlyArray<Tracer.SpanLink> => [{ _tag: "SpanLink", span, attributes: {} }]),
  Effect.orElseSucceed(() => [])
)

/** Accepts a connection, logs the reason of its refusal, and closes it. */
export const refuse = (makeTransport: MakeTransport, why: string): Effect.Effect<void> =>
  Effect.zipRight(Effect.logDebug(`A connection was refused: ${why}`), Effect.ignore(Effect.scoped(makeTransport)))

const connection = <A, E, R>(
  makeTransport: MakeTransport,
  origin: Origin,
  links: ReadonlyArray<Tracer.SpanLink>,
  options: Options,
  handler: (session: SessionService) => Effect.Effect<A, E, R>,
  sessions: Sessions
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const opened = yield* Effect.either(makeTransport)
    if (Either.isLeft(opened)) {
      return yield* Effect.logDebug(`A connection ended before its session started: ${opened.left.message}`)
    }
    const began = yield* millis
    // this finalizer must run after the session's own finalizer, which ends the session
    const started = yield* Effect.acquireRelease(
      Effect.sync((): { session?: SessionService } => ({})),
      ({ session }) => (session === undefined ? Effect.void : reportEnd(session, origin, began))
    )
    const session = yield* Session.fromTransport(opened.right, { ...options.session, role: "server" })
    started.session = session
    yield* Effect.acquireRelease(
      Effect.sync(() => sessions.add(session)),
      () => Effect.sync(() => sessions.delete(session))
    )
    // it was not ready when the server began to drain: the end of its scope refuses its streams and drains it
    if (sessions.isDraining) return
    // after the end of the session, the handler has `drainTimeout` to finish its work
    const overdue = Effect.zipRight(session.closed, Effect.sleep(options.resolved.drainTimeout))
    yield* race(
      withServices(
        Effect.suspend(() => handler(session)),
        origin.services
      ),
      overdue
    )
  }).pipe(
    Effect.scoped,
    // the caller's span lasts as long as the server: as its children, all connections would be one endless trace
    Effect.withSpan("effect-muxado/SessionServer.connection", { root: true, links }),
    Effect.exit,
    Effect.flatMap(reportHandler)
  )

const withServices = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  services: Context.Context<never> | undefined
): Effect.Effect<A, E, R> =>
  services === undefined
    ? effect
    : Effect.mapInputContext(effect, (own: Context.Context<R>) => Context.merge(own, services))

/**
 * Logs one line when a session has ended: peer, duration, reason and number of streams. No other line reports a session
 * that the peer has ended.
 */
const reportEnd = (session: SessionService, origin: Origin, began: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    // does not wait: the session's own finalizer has run, and has ended the session
    const error = yield* session.closed
    const { accepted, lost, opened } = yield* session.stats
    const duration = Math.round((yield* millis) - began)
    const brokeRules = error._tag === "ProtocolViolation" && error.initiator === "Local"
    const peer = session.peer === undefined ? origin.peer : peerInWords(session.peer)
    const message =
      `A session${peer === undefined ? "" : ` with ${peer}`} ended after ${duration} ms: ${error.message} ` +
      `(streams: ${accepted} accepted, ${opened} opened, ${lost} in flight)`
    yield* brokeRules ? Effect.logWarning(message) : Effect.logDebug(message)
  })

const reportHandler = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return Effect.void
  if (Cause.isDie(exit.cause)) return Effect.logError("The handler of a session died", exit.cause)
  // most handlers fail when their session or stream ends, and that is not their fault
  return isMuxadoError(Cause.squash(exit.cause))
    ? Effect.logDebug("The handler of a session failed", exit.cause)
    : Effect.logWarning("The handler of a session failed", exit.cause)
}
