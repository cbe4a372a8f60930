/** What a server does with its connections, wherever they come from. */
import type { SocketServerError } from "@effect/platform/SocketServer"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as FrameReader from "../FrameReader.js"
import * as FrameWriter from "../FrameWriter.js"
import type { InvalidOptions, TransportFailed } from "../MuxadoError.js"
import type { SessionService } from "../Session.js"
import * as Session from "../Session.js"
import type { ResolvedOptions, SessionOptions } from "../SessionOptions.js"
import type { TransportService } from "../Transport.js"
import { Transport } from "../Transport.js"
import { firstOf } from "./firstOf.js"

type MakeTransport = Effect.Effect<TransportService, TransportFailed, Scope.Scope>

interface Options {
  readonly session: SessionOptions
  readonly resolved: ResolvedOptions
  readonly maxConnections: number
}

/** Starts a connection's fiber; the fiber is interrupted by nothing but the end of the server. */
export type OnConnection = (transport: MakeTransport) => Fiber.RuntimeFiber<void>

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
      const runtime = yield* Effect.runtime<Exclude<R, Scope.Scope>>()
      const sessions = new Set<SessionService>()
      const fibers = yield* FiberSet.make<void>()
      let open = 0
      const onConnection: OnConnection = (transport) => {
        const work =
          open < options.maxConnections ? connection(transport, options, handler, sessions) : refuse(transport)
        open++
        const fiber = Runtime.runFork(runtime)(
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

/** Takes a connection, and drops it. */
const refuse = (makeTransport: MakeTransport): Effect.Effect<void> =>
  Effect.zipRight(
    Effect.logDebug("A connection was refused: there are too many"),
    Effect.ignore(Effect.scoped(makeTransport))
  )

const connection = <A, E, R>(
  makeTransport: MakeTransport,
  options: Options,
  handler: (session: SessionService) => Effect.Effect<A, E, R>,
  sessions: Set<SessionService>
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const session = yield* startSession(yield* makeTransport, options.session)
    yield* Effect.acquireRelease(
      Effect.sync(() => sessions.add(session)),
      () => Effect.sync(() => sessions.delete(session))
    )
    // a handler may still finish its work when the session is over, but not for ever
    const overdue = Effect.zipRight(session.closed, Effect.sleep(options.resolved.drainTimeout))
    yield* firstOf(handler(session), overdue)
  }).pipe(Effect.scoped, Effect.withSpan("effect-muxado/SessionServer.connection"), Effect.exit, Effect.flatMap(report))

const startSession = (
  transport: TransportService,
  options: SessionOptions
): Effect.Effect<SessionService, InvalidOptions, Scope.Scope> =>
  Session.make("server", options).pipe(
    Effect.provideService(Transport, transport),
    Effect.provideService(FrameReader.FrameReader, FrameReader.make(transport)),
    Effect.provideService(FrameWriter.FrameWriter, FrameWriter.make(transport))
  )

const report = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return Effect.void
  return Cause.isDie(exit.cause)
    ? Effect.logError("The handler of a session died", exit.cause)
    : Effect.logDebug("The handler of a session failed", exit.cause)
}
