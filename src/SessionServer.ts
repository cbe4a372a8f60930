/**
 * A listener whose connections are sessions.
 *
 * @since 0.1.0
 */
import * as SocketServer from "@effect/platform/SocketServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { runConnections } from "./internal/connections.js"
import type { InvalidOptions } from "./MuxadoError.js"
import type { SessionService } from "./Session.js"
import type { ResolvedServerOptions, ServerOptions } from "./SessionOptions.js"
import { resolveServer } from "./SessionOptions.js"
import { fromSocket } from "./Transport.js"

/**
 * Gives every connection a session, in a fiber and a scope of its own, and runs `handler` with it. When the handler
 * ends, its session is drained and the connection closed; one that fails or dies is logged, and harms no other.
 *
 * It runs once, until it is interrupted: then it stops listening, drains all sessions at once (their handlers see
 * `draining`; `serve` completes by itself), and interrupts the handlers that are left.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionServerService {
  readonly address: SocketServer.Address
  readonly run: <A, E, R>(
    handler: (session: SessionService) => Effect.Effect<A, E, R>
  ) => Effect.Effect<never, SocketServer.SocketServerError, Exclude<R, Scope.Scope>>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class SessionServer extends Context.Tag("effect-muxado/SessionServer")<SessionServer, SessionServerService>() {}

/**
 * Runs the handler for every session of the server in the context: see `SessionServerService`.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <A, E, R>(
  handler: (session: SessionService) => Effect.Effect<A, E, R>
): Effect.Effect<never, SocketServer.SocketServerError, SessionServer | Exclude<R, Scope.Scope>> =>
  Effect.flatMap(SessionServer, (server) => server.run(handler))

/**
 * Sessions over the sockets of any platform `SocketServer` (WebSocket among them), with what `Transport.fromSocket` can
 * and cannot give. Fails with `InvalidOptions`. The options are read when it is called.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options?: ServerOptions
): Effect.Effect<SessionServerService, InvalidOptions, SocketServer.SocketServer> => start(resolveServer(options))

const start = Effect.fn("effect-muxado/SessionServer.make")(function* (
  resolving: Either.Either<ResolvedServerOptions, InvalidOptions>
) {
  const resolved = yield* resolving
  const server = yield* SocketServer.SocketServer
  return SessionServer.of({
    address: server.address,
    run: (handler) =>
      runConnections(resolved, handler, (onConnection) =>
        // the socket is the connection's own: it is still drained when the server has stopped
        server.run((socket) => Effect.suspend(() => Fiber.join(onConnection(fromSocket(socket)))))
      )
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: ServerOptions): Layer.Layer<SessionServer, InvalidOptions, SocketServer.SocketServer> =>
  Layer.fresh(Layer.effect(SessionServer, make(options)))
