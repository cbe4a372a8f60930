/**
 * Accepts the connections of a platform `SocketServer` from the moment it listens. The platform neither serves nor
 * closes a WebSocket that connects while the server has no handler.
 */
import type * as Socket from "@effect/platform/Socket"
import type { SocketServer } from "@effect/platform/SocketServer"
import type { SocketServerError } from "@effect/platform/SocketServer"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { OnConnection, Origin } from "./connections.js"
import { hostAndPort } from "../transport/peerText.js"
import { refuse } from "./connections.js"
import { describe } from "../support/describe.js"
import { ServerFailed } from "../../MuxadoError.js"
import { listenReason } from "./listenReason.js"
import { race } from "../support/race.js"
import { interrupted, onExit, Runner } from "../support/run.js"
import { Once } from "../support/waiters.js"
import { call } from "../transport/foreignCalls.js"
import type { Medium } from "../transport/medium.js"
import { mediumIn, NetSocket } from "../transport/medium.js"
import { open } from "../transport/fromSocket.js"

type Server = Context.Tag.Service<typeof SocketServer>

type Listen = (onConnection: OnConnection) => Effect.Effect<never, ServerFailed>

export interface Subscription {
  /**
   * Runs `use` with a function that accepts the connections, the waiting ones first, until it is interrupted or the
   * server ends. It can run once. Afterwards new connections are closed.
   */
  readonly whileTaken: <R>(
    use: (listen: Listen) => Effect.Effect<never, ServerFailed, R>
  ) => Effect.Effect<never, ServerFailed, R>
}

/** The maximum number of connections that wait for `run`. */
const MAX_WAITING = 128

/** Says what happens with a new connection. */
type Phase =
  { readonly _tag: "Wait" } | { readonly _tag: "Take"; readonly take: OnConnection } | { readonly _tag: "Refuse" }

/** A connection that waits for `run`. */
class Waiting {
  readonly taken = new Once<OnConnection>()
  fiber: Fiber.RuntimeFiber<void> | undefined = undefined
}

/** Accepts the server's connections until the scope closes. */
export const subscribe = (server: Server): Effect.Effect<Subscription, never, Scope.Scope> =>
  Effect.gen(function* () {
    let phase: Phase = { _tag: "Wait" }
    let ran = false
    const waiting = new Set<Waiting>()
    /** Fails with the reason why the server delivers no more connections. */
    const ended = new Once<never, ServerFailed>()

    const end = (reason: ServerFailed): Effect.Effect<boolean> => Effect.sync(() => ended.complete(Exit.fail(reason)))

    const takeAll = (take: OnConnection): void => {
      if (phase._tag === "Refuse") return
      phase = { _tag: "Take", take }
      const connections = [...waiting]
      waiting.clear()
      for (const { taken } of connections) taken.complete(Exit.succeed(take))
    }

    const refuseAll: Effect.Effect<void> = Effect.suspend(() => {
      phase = { _tag: "Refuse" }
      const connections = [...waiting]
      waiting.clear()
      // ends a connection whose `fiber` is not set yet
      for (const { taken } of connections) taken.complete(interrupted)
      return Fiber.interruptAll(connections.flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber])))
    })

    /** Keeps a waiting connection open until its handler has ended, or until the connection itself ends. */
    const hold = (
      socket: Socket.Socket,
      origin: Origin,
      medium: Medium | undefined,
      connection: Waiting
    ): Effect.Effect<void> =>
      Effect.gen(function* () {
        const { over, transport } = yield* open(socket, {}, { medium, isWaiting: () => waiting.has(connection) })
        const take = yield* race(connection.taken.await, Effect.as(over, undefined))
        if (take !== undefined) yield* Fiber.await(take(Effect.succeed(transport), origin))
      }).pipe(Effect.scoped, Effect.ignore)

    /**
     * Runs in the fiber that the server starts for a connection. A connection that waits has its own fiber, which can
     * run longer.
     */
    const accept = (socket: Socket.Socket, around: Context.Context<never>): Effect.Effect<void> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.contextWithEffect((here: Context.Context<never>) => {
          const services = added(around, here)
          const origin = { services, peer: addressIn(services) }
          const medium = mediumIn(services)
          const transport = Effect.map(open(socket, {}, { medium }), ({ transport }) => transport)
          if (phase._tag === "Take") return restore(Fiber.join(phase.take(transport, origin)))
          if (phase._tag === "Refuse") return restore(refuse(transport, "the server has stopped"))
          if (waiting.size >= MAX_WAITING) {
            return restore(refuse(transport, `the server does not run yet, and ${MAX_WAITING} connections wait for it`))
          }
          const connection = new Waiting()
          waiting.add(connection)
          return Effect.flatMap(
            Effect.forkDaemon(Effect.interruptible(hold(socket, origin, medium, connection))),
            (fiber) => {
              connection.fiber = fiber
              onExit(fiber, () => waiting.delete(connection))
              return restore(Effect.asVoid(Fiber.await(fiber)))
            }
          )
        })
      )

    const listening: Effect.Effect<never, SocketServerError> = Effect.contextWithEffect(
      (around: Context.Context<never>) =>
        call("what run of a SocketServer gives", () => server.run((socket) => accept(socket, around)))
    ).pipe(Effect.onExit((exit) => Effect.zipRight(end(reasonOf(exit)), refuseAll)))

    // starts to listen in this step, because a client may connect in the next one
    const runner = yield* Runner.current()
    yield* Effect.acquireRelease(
      Effect.sync(() => runner.fork(listening)),
      (fiber) => end(stopped(SCOPE_ENDED)).pipe(Effect.zipRight(refuseAll), Effect.zipRight(Fiber.interrupt(fiber)))
    )

    const listen: Listen = (onConnection) =>
      Effect.suspend(() => {
        takeAll(onConnection)
        return ended.await
      }).pipe(Effect.ensuring(refuseAll))

    return {
      whileTaken: (use) =>
        Effect.uninterruptibleMask((restore) => {
          if (ran) return Effect.fail(new ServerFailed({ reason: "RunBefore", detail: RUN_BEFORE }))
          ran = true
          // if it is interrupted before it listens, it must close the waiting connections
          return Effect.ensuring(restore(use(listen)), refuseAll)
        })
    }
  })

/** The services that a server adds for one connection: those that were missing or different when the server started. */
const added = (around: Context.Context<never>, here: Context.Context<never>): Context.Context<never> => {
  const services = new Map<string, unknown>()
  for (const [key, service] of here.unsafeMap) {
    // the scope and the span belong to the server itself
    if (key === Scope.Scope.key || key === Tracer.ParentSpan.key) continue
    if (!around.unsafeMap.has(key) || around.unsafeMap.get(key) !== service) services.set(key, service)
  }
  return Context.unsafeMake(services)
}

/** Identified by its key, for the reason given at `NetSocket` in `medium.ts`. */
const IncomingMessage = Context.GenericTag<unknown>("@effect/platform-node-shared/NodeSocketServer/IncomingMessage")

/** The client's address and port, from the services that a platform server provides. */
const addressIn = (services: Context.Context<never>): string | undefined => {
  const netSocket = Option.getOrUndefined(Context.getOption(services, NetSocket))
  const request = Option.getOrUndefined(Context.getOption(services, IncomingMessage))
  return addressOf(netSocket) ?? addressOf(Predicate.hasProperty(request, "socket") ? request.socket : undefined)
}

const addressOf = (socket: unknown): string | undefined =>
  Predicate.hasProperty(socket, "remoteAddress") &&
  Predicate.hasProperty(socket, "remotePort") &&
  typeof socket.remoteAddress === "string" &&
  typeof socket.remotePort === "number"
    ? hostAndPort(socket.remoteAddress, socket.remotePort)
    : undefined

const reasonOf = (exit: Exit.Exit<never, SocketServerError>): ServerFailed => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return stopped(STOPPED)
  const error = Cause.squash(exit.cause)
  if (!isSocketServerError(error)) return stopped(messageOf(error), error)
  const { cause, reason } = error
  return reason === "Open"
    ? new ServerFailed({ reason: listenReason(cause), detail: messageOf(cause), cause })
    : stopped(messageOf(cause), cause)
}

const isSocketServerError = (error: unknown): error is SocketServerError =>
  Predicate.isTagged(error, "SocketServerError") && "reason" in error && "cause" in error

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : describe(error))

const stopped = (detail: string, cause?: unknown): ServerFailed =>
  new ServerFailed({ reason: "Stopped", detail, ...(cause === undefined ? {} : { cause }) })

const RUN_BEFORE = "run was already called: a server can run only once"
const SCOPE_ENDED = "The scope of the server has closed"
const STOPPED = "The SocketServer stopped without an error"
