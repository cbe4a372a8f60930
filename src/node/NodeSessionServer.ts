/**
 * Listeners on TCP, TLS and unix sockets whose connections are sessions.
 *
 * @since 0.1.0
 */
import { SocketServerError } from "@effect/platform/SocketServer"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { runConnections } from "../internal/connections.js"
import type { InvalidOptions } from "../MuxadoError.js"
import type { ResolvedServerOptions, ServerOptions } from "../SessionOptions.js"
import { resolveServer } from "../SessionOptions.js"
import type { SessionServerService } from "../SessionServer.js"
import { SessionServer } from "../SessionServer.js"
import { fromDuplex } from "./internal/duplex.js"
import type { ListenOptions, TlsListenOptions } from "./internal/listener.js"
import { listen } from "./internal/listener.js"

/**
 * Where to listen: port 0 picks a free one, and no `host` means every address.
 *
 * @since 0.1.0
 * @category models
 */
export interface TcpOptions {
  readonly host?: string | undefined
  readonly port: number
}

/**
 * Where to listen, and Node's own TLS options: `requestCert` and `ca` for client certificates, and `handshakeTimeout`
 * in milliseconds, 10,000 unless given.
 *
 * @since 0.1.0
 * @category models
 */
export type TlsOptions = TlsListenOptions

/**
 * Where to listen: the socket's path.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnixOptions {
  readonly path: string
}

const RUN_BEFORE = "The server runs, or has run: it listens once"

const make = Effect.fn("effect-muxado/NodeSessionServer.make")(function* (
  where: ListenOptions,
  resolving: Either.Either<ResolvedServerOptions, InvalidOptions>
): Effect.fn.Return<SessionServerService, SocketServerError | InvalidOptions, Scope.Scope> {
  const resolved = yield* resolving
  const listener = yield* listen(where)
  let ran = false
  return SessionServer.of({
    address: listener.address,
    run: (handler) =>
      Effect.suspend(() => {
        if (ran) return Effect.fail(new SocketServerError({ reason: "Unknown", cause: new Error(RUN_BEFORE) }))
        ran = true
        return runConnections(resolved, handler, (onConnection) =>
          Effect.scoped(
            Effect.zipRight(
              listener.subscribe((socket) => void onConnection(fromDuplex(socket))),
              Effect.never
            )
          ).pipe(Effect.ensuring(listener.stopListening))
        )
      })
  })
})

/**
 * Sessions over plain TCP. Listens from now on; fails with `InvalidOptions`, or `SocketServerError` (`"Open"`).
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeTcp = (
  where: TcpOptions,
  options?: ServerOptions
): Effect.Effect<SessionServerService, SocketServerError | InvalidOptions, Scope.Scope> =>
  make({ _tag: "Tcp", ...where }, resolveServer(options))

/**
 * Sessions over TLS: a client whose handshake fails or stalls is dropped and never seen. Fails as `makeTcp` does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeTls = (
  where: TlsOptions,
  options?: ServerOptions
): Effect.Effect<SessionServerService, SocketServerError | InvalidOptions, Scope.Scope> =>
  make({ _tag: "Tls", options: where }, resolveServer(options))

/**
 * Sessions over a unix socket. Fails as `makeTcp` does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnix = (
  where: UnixOptions,
  options?: ServerOptions
): Effect.Effect<SessionServerService, SocketServerError | InvalidOptions, Scope.Scope> =>
  make({ _tag: "Unix", ...where }, resolveServer(options))

/**
 * `makeTcp` as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTcp = (
  where: TcpOptions,
  options?: ServerOptions
): Layer.Layer<SessionServer, SocketServerError | InvalidOptions> =>
  Layer.scoped(SessionServer, makeTcp(where, options))

/**
 * `makeTls` as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTls = (
  where: TlsOptions,
  options?: ServerOptions
): Layer.Layer<SessionServer, SocketServerError | InvalidOptions> =>
  Layer.scoped(SessionServer, makeTls(where, options))

/**
 * `makeUnix` as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerUnix = (
  where: UnixOptions,
  options?: ServerOptions
): Layer.Layer<SessionServer, SocketServerError | InvalidOptions> =>
  Layer.scoped(SessionServer, makeUnix(where, options))
