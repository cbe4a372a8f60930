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
import type { InvalidOptions, ServerFailed } from "./MuxadoError.js"
import type { SessionService } from "./Session.js"
import type { ResolvedServerOptions } from "./ResolvedOptions.js"
import { resolveServer } from "./ResolvedOptions.js"
import type { ServerOptions } from "./SessionOptions.js"

/**
 * Where a server listens: its host and port, or the path of its unix socket.
 *
 * @since 0.1.0
 * @category models
 */
export type Address =
  | {
      readonly _tag: "TcpAddress"
      /** The address that the server is bound to: `127.0.0.1`, `::`. */
      readonly hostname: string
      /** The port that the server is bound to. */
      readonly port: number
    }
  | {
      readonly _tag: "UnixAddress"
      /** The path of the socket, or the name of a Windows pipe. */
      readonly path: string
    }

/**
 * For every connection, makes a session in a new fiber and scope, and runs `handler` with it. When the handler ends,
 * its session is drained and the connection closed. If a handler fails or dies, the server logs it: a defect as an
 * error, an error of this library at debug level, any other failure as a warning. Other sessions continue.
 *
 * `run` can be called once, and runs until it is interrupted. After an interruption it still serves for `stopDelay`.
 * Then it stops listening, drains all sessions at the same time, and interrupts the handlers that have not ended. A
 * connection that is not ready by then is closed, or drained at once. A second interruption does not shorten this: it
 * waits for the first. While a session drains, its `draining` completes, and `serve` completes by itself. A second `run`
 * fails with `ServerFailed` (`"RunBefore"`). If the server ends by itself, or if its scope closes, `run` fails with
 * `ServerFailed` (`"Stopped"`).
 *
 * Clients that connect before `run` wait. At most 128 wait. The server buffers 64 KiB from each and then pauses it; if
 * the medium cannot pause, it buffers up to 1 MiB and then drops the client. (`NodeSessionServer` buffers nothing: its
 * sockets stay paused.) `run` serves them. If the server's scope closes first, they are closed.
 *
 * Each connection starts a new trace. Its root span has a link to the span in which `run` was called. When a session
 * ends, the server logs one line: the peer, the reason, the duration in milliseconds, and the stream counts. The line
 * is a warning if the peer broke the protocol, and otherwise debug.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionServerService {
  /** Where it listens; with port 0 given, the port that was free. */
  readonly address: Address
  /**
   * Runs `handler` for each connection, in a fiber and a scope of its own, until it is interrupted. Fails with
   * `ServerFailed` when listening fails, and when it has run before.
   */
  readonly run: <A, E, R>(
    handler: (session: SessionService) => Effect.Effect<A, E, R>
  ) => Effect.Effect<never, ServerFailed, Exclude<R, Scope.Scope>>
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
): Effect.Effect<never, ServerFailed, SessionServer | Exclude<R, Scope.Scope>> =>
  Effect.flatMap(SessionServer, (server) => server.run(handler))

/**
 * Makes sessions over the sockets of any platform `SocketServer`, including WebSocket servers. The limits of
 * `Transport.fromSocket` apply. It accepts the connections of that server from this call until its scope closes. Fails
 * with `InvalidOptions`. The options are read when it is called.
 *
 * - The context of the session's handler, and of its stream handlers, contains the services that the platform's server
 *   provides for the connection (`NodeSocketServer.IncomingMessage`, `NodeSocket.NetSocket`, `Socket.WebSocket`). Read
 *   them with `Effect.serviceOption`.
 * - A session over a WebSocket has the same limits as one over TCP: `maxSendBuffer`, `writeTimeout`, and a pause while
 *   1 MiB is unread (only WebSockets of `ws` can pause). Set `maxPayload` on the platform's server: it buffers each
 *   message as a whole before this library sees it.
 *
 * After `run` has ended, every new connection is closed at once.
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
