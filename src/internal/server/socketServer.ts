/**
 * The connections of a `SocketServer` of the platform, from the moment it listens: a WebSocket that connects while nothing
 * listens for it would be neither served nor closed.
 */
import type * as Socket from "@effect/platform/Socket"
import type { SocketServer } from "@effect/platform/SocketServer"
import { SocketServerError } from "@effect/platform/SocketServer"
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
import { hostAndPort, refuse } from "./connections.js"
import { race } from "../support/race.js"
import { interrupted, onExit, Runner } from "../support/run.js"
import { Once } from "../support/waiters.js"
import { call } from "../transport/foreignCalls.js"
import type { Medium } from "../transport/medium.js"
import { mediumIn, NetSocket } from "../transport/medium.js"
import { open } from "../transport/fromSocket.js"

type Server = Context.Tag.Service<typeof SocketServer>

type Listen = (onConnection: OnConnection) => Effect.Effect<never, SocketServerError>

export interface Subscription {
  /**
   * Runs `use` with a function that takes the connections, those that wait first, until it is interrupted or the server
   * ends. Only once, and afterwards new connections are closed.
   */
  readonly whileTaken: <R>(
    use: (listen: Listen) => Effect.Effect<never, SocketServerError, R>
  ) => Effect.Effect<never, SocketServerError, R>
}

/** How many connections wait for `run`. */
const MAX_WAITING = 128

/** What is done with a new connection. */
type Phase =
  { readonly _tag: "Wait" } | { readonly _tag: "Take"; readonly take: OnConnection } | { readonly _tag: "Refuse" }

/** A connection that waits for `run`. */
class Waiting {
  readonly taken = new Once<OnConnection>()
  fiber: Fiber.RuntimeFiber<void> | undefined = undefined
}

/** Takes the server's connections until the scope ends. */
export const subscribe = (server: Server): Effect.Effect<Subscription, never, Scope.Scope> =>
  Effect.gen(function* () {
    let phase: Phase = { _tag: "Wait" }
    let ran = false
    const waiting = new Set<Waiting>()
    /** Why the server gives no more connections. */
    const ended = new Once<never, SocketServerError>()

    const end = (reason: SocketServerError): Effect.Effect<boolean> =>
      Effect.sync(() => ended.complete(Exit.fail(reason)))

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
      // one whose fiber is not known yet ends by this
      for (const { taken } of connections) taken.complete(interrupted)
      return Fiber.interruptAll(connections.flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber])))
    })

    /** Holds the connection until it is taken and done with, or has ended. */
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

    /** Runs in the fiber that the server has started for the connection. The connection itself outlives that fiber. */
    const accept = (socket: Socket.Socket, around: Context.Context<never>): Effect.Effect<void> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.contextWithEffect((here: Context.Context<never>) => {
          const services = added(around, here)
          const origin = { services, peer: addressIn(services) }
          const medium = mediumIn(services)
          const transport = Effect.map(open(socket, {}, { medium }), ({ transport }) => transport)
          if (phase._tag === "Take") return restore(Fiber.join(phase.take(transport, origin)))
          if (phase._tag === "Refuse") return restore(refuse(transport, "the server does not run any more"))
          if (waiting.size >= MAX_WAITING) {
            return restore(refuse(transport, `${MAX_WAITING} wait already for the server to run`))
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

    // starts it in this step: a client that connects in the next one must find it listening
    const runner = yield* Runner.current()
    yield* Effect.acquireRelease(
      Effect.sync(() => runner.fork(listening)),
      (fiber) => end(unknown(SCOPE_ENDED)).pipe(Effect.zipRight(refuseAll), Effect.zipRight(Fiber.interrupt(fiber)))
    )

    const listen: Listen = (onConnection) =>
      Effect.suspend(() => {
        takeAll(onConnection)
        return ended.await
      }).pipe(Effect.ensuring(refuseAll))

    return {
      whileTaken: (use) =>
        Effect.uninterruptibleMask((restore) => {
          if (ran) return Effect.fail(unknown(RUN_BEFORE))
          ran = true
          // interrupted before it listens, it must not leave those that wait
          return Effect.ensuring(restore(use(listen)), refuseAll)
        })
    }
  })

/** What a server provides for one connection: what was not there, or was another, when the server was made to run. */
const added = (around: Context.Context<never>, here: Context.Context<never>): Context.Context<never> => {
  const services = new Map<string, unknown>()
  for (const [key, service] of here.unsafeMap) {
    // a scope, and a span, are those of the server's own work
    if (key === Scope.Scope.key || key === Tracer.ParentSpan.key) continue
    if (!around.unsafeMap.has(key) || around.unsafeMap.get(key) !== service) services.set(key, service)
  }
  return Context.unsafeMake(services)
}

/** By its key, as in `medium.ts`. */
const IncomingMessage = Context.GenericTag<unknown>("@effect/platform-node-shared/NodeSocketServer/IncomingMessage")

/** The client's address and port, as the servers of the platform know them. */
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

const reasonOf = (exit: Exit.Exit<never, SocketServerError>): SocketServerError => {
  if (Exit.isSuccess(exit)) return unknown(STOPPED)
  if (Cause.isInterruptedOnly(exit.cause)) return unknown(STOPPED)
  const error = Cause.squash(exit.cause)
  return error instanceof SocketServerError ? error : new SocketServerError({ reason: "Unknown", cause: error })
}

const unknown = (message: string): SocketServerError =>
  new SocketServerError({ reason: "Unknown", cause: new Error(message) })

const RUN_BEFORE = "The server runs, or has run: it listens once"
const SCOPE_ENDED = "The server's scope has ended"
const STOPPED = "The SocketServer has stopped by itself"
