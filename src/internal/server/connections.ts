/** What a server does with its connections, wherever they come from. */
import type { SocketServerError } from "@effect/platform/SocketServer"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { TransportFailed } from "../../MuxadoError.js"
import { isMuxadoError } from "../../MuxadoError.js"
import type { SessionService } from "../../Session.js"
import * as Session from "../../Session.js"
import type { ResolvedOptions, SessionOptions } from "../../SessionOptions.js"
import type { Peer, TransportService } from "../../Transport.js"
import { millis } from "../support/clock.js"
import { race } from "../support/race.js"
import { Runner } from "../support/run.js"

type MakeTransport = Effect.Effect<TransportService, TransportFailed, Scope.Scope>

interface Options {
  readonly session: SessionOptions
  readonly resolved: ResolvedOptions
  readonly maxConnections: number
}

/** What the server of a connection knows about it. */
export interface Origin {
  /** The services that the connection's handler gets beyond its own. */
  readonly services?: Context.Context<never> | undefined
  /** Who is at the other end, where the transport does not know it. */
  readonly peer?: string | undefined
}

/** Starts a connection's fiber; the fiber is interrupted by nothing but the end of the server. */
export type OnConnection = (transport: MakeTransport, origin?: Origin) => Fiber.RuntimeFiber<void>

/**
 * Listens with `listen`, which runs until it is interrupted, and runs `handler` with a session for each connection. At
 * the end: no more connections, all sessions are drained at once, and what is left is interrupted.
 */
export const runConnections = <A, E, R>(
  options: Options,
  handler: (session: SessionService) => Effect.Effect<A, E, R>,
  listen: (onConnection: OnConnection) => Effect.Effect<never, SocketServerError>
): Effect.Effect<never, SocketServerError, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const runner = yield* Runner.current<Exclude<R, Scope.Scope>>()
      const links = yield* linksToHere
      const sessions = new Set<SessionService>()
      const fibers = yield* FiberSet.make<void>()
      let open = 0
      const onConnection: OnConnection = (transport, origin = {}) => {
        const work: Effect.Effect<void, never, Exclude<R, Scope.Scope>> = open < options.maxConnections
          ? connection(transport, origin, links, options, handler, sessions)
          : refuse(transport, "There are too many connections")
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
      const drained = Effect.suspend(() =>
        Effect.forEach([...sessions], (session) => session.drain(), { concurrency: "unbounded", discard: true })
      )
      return yield* Effect.ensuring(listen(onConnection), drained)
    })
  )

/** A link to the span in which this runs, if there is one. */
const linksToHere: Effect.Effect<ReadonlyArray<Tracer.SpanLink>> = Effect.currentParentSpan.pipe(
  Effect.map((span): ReadonlyArray<Tracer.SpanLink> => [{ _tag: "SpanLink", span, attributes: {} }]),
  Effect.orElseSucceed(() => [])
)

/** Takes a connection, and drops it. */
export const refuse = (makeTransport: MakeTransport, why: string): Effect.Effect<void> =>
  Effect.zipRight(Effect.logDebug(`A connection was refused: ${why}`), Effect.ignore(Effect.scoped(makeTransport)))

const connection = <A, E, R>(
  makeTransport: MakeTransport,
  origin: Origin,
  links: ReadonlyArray<Tracer.SpanLink>,
  options: Options,
  handler: (session: SessionService) => Effect.Effect<A, E, R>,
  sessions: Set<SessionService>
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const opened = yield* Effect.either(makeTransport)
    if (Either.isLeft(opened)) {
      return yield* Effect.logDebug(`A connection was gone before it became a session: ${opened.left.message}`)
    }
    const began = yield* millis
    // its release has to come after the session's own, which ends the session
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
    // a handler may still finish its work when the session is over, but not for ever
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
    // the span around the server lasts as long as the server: below it, all connections would be one endless trace
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

/** One line for each session: what it was, and why it ended. Nothing else tells of one that a peer has ended. */
const reportEnd = (session: SessionService, origin: Origin, began: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    // its own finalizer comes before this one, and ends it in any case
    const error = yield* session.closed
    const { accepted, lost, opened } = yield* session.stats
    const duration = Math.round((yield* millis) - began)
    const brokeRules = error._tag === "ProtocolViolation" && error.initiator === "Local"
    const peer = session.peer === undefined ? origin.peer : inWords(session.peer)
    const message =
      `A session${peer === undefined ? "" : ` with ${peer}`} ended after ${duration} ms: ${error.message} ` +
      `(streams: ${accepted} accepted, ${opened} opened, ${lost} in flight)`
    yield* brokeRules ? Effect.logWarning(message) : Effect.logDebug(message)
  })

const inWords = (peer: Peer): string =>
  peer._tag === "Unix" ? `unix:${peer.path}` : hostAndPort(peer.address, peer.port)

/** As in a URL: an IPv6 address in brackets. */
export const hostAndPort = (host: string, port: number): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

const reportHandler = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return Effect.void
  if (Cause.isDie(exit.cause)) return Effect.logError("The handler of a session died", exit.cause)
  // an end of the session or of a stream reaches most handlers as a failure; it says nothing about the handler
  return isMuxadoError(Cause.squash(exit.cause))
    ? Effect.logDebug("The handler of a session failed", exit.cause)
    : Effect.logWarning("The handler of a session failed", exit.cause)
}
