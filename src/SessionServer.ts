/**
 * A listener whose connections are sessions.
 *
 * @module
 * @since 0.1.0
 */
import * as SocketServer from "@effect/platform/SocketServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { runConnections } from "./internal/server/connections.js"
import { subscribe } from "./internal/server/socketServer.js"
import type { InvalidOptions } from "./MuxadoError.js"
import type { SessionService } from "./Session.js"
import type { ResolvedServerOptions, ServerOptions } from "./SessionOptions.js"
import { resolveServer } from "./SessionOptions.js"

/**
 * Gives every connection a session, in a fiber and a scope of its own, and runs `handler` with it. When the handler
 * ends, its session is drained and the connection closed. A handler that fails or dies is logged (a defect as an error,
 * a failure as a warning, a failure with an error of this library as debug), and harms no other.
 *
 * It runs once, until it is interrupted: then it stops listening, drains all sessions at once (their handlers see
 * `draining`; `serve` completes by itself), and interrupts the handlers that are left. A second `run` fails with
 * `SocketServerError`.
 *
 * Clients that connect before `run` wait: up to 128 of them, with up to 64 KiB of what they send, or 1 MiB where the
 * medium cannot pause. They are served once `run` is called, and closed when the server's scope ends.
 *
 * Each connection has a span that is the root of a trace, with a link to the span in which `run` was called. The end of
 * each session is one line in the log: who the peer was, why it ended, its duration in milliseconds and its streams. It
 * is a warning where the peer broke the protocol, debug otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionServerService {
  /** Where it listens; with port 0 given, the port that was free. */
  readonly address: SocketServer.Address
  /**
   * Runs `handler` for each connection, in a fiber and a scope of its own, until it is interrupted. Fails with
   * `SocketServerError` when listening fails, and when it has run before.
   */
  readonly run: <A, E, R>(
    handler: (session: SessionService) => Effect.Effect<A, E, R>
  ) => Effect.Effect<never, SocketServer.SocketServerError, Exclude<R, Scope.Scope>>
}

/**
 * The listener of a program.
 *
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
 * and cannot give. It takes the connections of that server from now on, until its scope ends. Fails with
 * `InvalidOptions`. The options are read when it is called.
 *
 * - What the platform's server provides for a connection (`NodeSocketServer.IncomingMessage`, `NodeSocket.NetSocket`,
 *   `Socket.WebSocket`) is in the context of the session's handler, and of the stream handlers that it serves: get it
 *   with `Effect.serviceOption`.
 * - A session over a WebSocket is bounded as one over TCP is: by `maxSendBuffer`, `writeTimeout`, and a pause while 1 MiB
 *   is unread. Give the platform's server a `maxPayload`: a message is held as a whole before it comes here.
 *
 * After `run` has ended, new connections are closed as they come.
 *
 * @example
 * ```ts
 * import { NodeSocketServer } from "@effect/platform-node"
 * import { SessionServer } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const server = yield* SessionServer.make({ maxConnections: 100 })
 *   return yield* server.run((session) => session.serve((stream) => stream.write("hello")))
 * }).pipe(Effect.scoped, Effect.provide(NodeSocketServer.layerWebSocket({ port: 7000, maxPayload: 1024 * 1024 })))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options?: ServerOptions
): Effect.Effect<SessionServerService, InvalidOptions, SocketServer.SocketServer | Scope.Scope> =>
  start(resolveServer(options))

const start = Effect.fn("effect-muxado/SessionServer.make")(function* (
  resolving: Either.Either<ResolvedServerOptions, InvalidOptions>
): Effect.fn.Return<SessionServerService, InvalidOptions, SocketServer.SocketServer | Scope.Scope> {
  const resolved = yield* resolving
  const server = yield* SocketServer.SocketServer
  const subscription = yield* subscribe(server)
  return SessionServer.of({
    address: server.address,
    run: (handler) => subscription.whileTaken((listen) => runConnections(resolved, handler, listen))
  })
})

/**
 * `make` as a layer.
 *
 * @example
 * ```ts
 * import { NodeSocketServer } from "@effect/platform-node"
 * import { SessionServer } from "effect-muxado"
 * import { Effect, Layer } from "effect"
 *
 * const whoIsIt = Effect.map(Effect.serviceOption(NodeSocketServer.IncomingMessage), (request) =>
 *   request._tag === "Some" ? request.value.headers["user-agent"] : undefined
 * )
 *
 * const program = SessionServer.run((session) =>
 *   Effect.gen(function* () {
 *     yield* Effect.log(`A client connected: ${yield* whoIsIt}`)
 *     yield* session.serve((stream) => Effect.log(`stream ${stream.id}`))
 *   })
 * )
 *
 * const ServerLive = SessionServer.layer({ writeTimeout: "10 seconds" }).pipe(
 *   Layer.provide(NodeSocketServer.layerWebSocket({ port: 7000, maxPayload: 1024 * 1024 }))
 * )
 *
 * export const main = Effect.provide(program, ServerLive)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: ServerOptions): Layer.Layer<SessionServer, InvalidOptions, SocketServer.SocketServer> =>
  Layer.fresh(Layer.scoped(SessionServer, make(options)))
