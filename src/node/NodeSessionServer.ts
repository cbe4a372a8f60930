/**
 * Servers on TCP, TLS and unix sockets. Each connection is a session.
 *
 * @module
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Tls from "node:tls"
import { runConnections } from "../internal/server/connections.js"
import { InvalidOptions, ServerFailed } from "../MuxadoError.js"
import type { ResolvedServerOptions } from "../ResolvedOptions.js"
import { resolveServer } from "../ResolvedOptions.js"
import type { ServerOptions } from "../SessionOptions.js"
import type { SessionServerService } from "../SessionServer.js"
import { SessionServer } from "../SessionServer.js"
import { fromDuplex } from "./internal/duplex.js"
import type {
  ListeningSocket,
  ListenOptions,
  TcpListenOptions as TcpOptions,
  TlsListenOptions as TlsOptions
} from "./internal/listenOptions.js"
import { listen } from "./internal/listener.js"
import { listenProblems } from "./internal/where.js"

export type {
  ListeningSocket,
  TcpListenOptions as TcpOptions,
  TlsListenOptions as TlsOptions
} from "./internal/listenOptions.js"

/**
 * The socket file to listen on. When the server ends, it removes the file, unless another server has replaced it.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnixOptions {
  /** The path of the socket: at most 107 bytes on Linux and Android, and 103 bytes elsewhere. */
  readonly path: string
  /**
   * The permissions of the socket file: with `0o600`, only this user can connect. The file has them from the moment it
   * appears at its path. Default: what the umask of the process gives.
   */
  readonly mode?: number | undefined
  /**
   * If true, replaces a socket file on which no server listens; a killed server leaves such a file. Never replaces the
   * socket of a live server, or a file that is not a socket. Default: false. Then such a file is an error.
   */
  readonly replaceStale?: boolean | undefined
}

const RUN_BEFORE = "run was already called: a server can run only once"

const make = Effect.fn("effect-muxado/NodeSessionServer.make")(function* (
  where: ListenOptions,
  resolving: Either.Either<ResolvedServerOptions, InvalidOptions>
): Effect.fn.Return<SessionServerService, ServerFailed | InvalidOptions, Scope.Scope> {
  const problems = listenProblems(where)
  const resolved = yield* Effect.mapError(resolving, (error) =>
    problems.length === 0 ? error : new InvalidOptions({ detail: [...problems, error.detail].join("\n") })
  )
  if (problems.length > 0) {
    const detail = problems.join("\n")
    return yield* new InvalidOptions({ detail, cause: new RangeError(detail) })
  }
  const listener = yield* listen(where)
  let ran = false
  return SessionServer.of({
    address: listener.address,
    run: (handler) =>
      Effect.suspend(() => {
        if (ran) return Effect.fail(new ServerFailed({ reason: "RunBefore", detail: RUN_BEFORE }))
        ran = true
        return runConnections(resolved, handler, (onConnection) =>
          Effect.scoped(
            Effect.zipRight(
              listener.subscribe((socket, peer) => void onConnection(fromDuplex(socket, { peer }))),
              listener.closed
            )
          ).pipe(Effect.ensuring(listener.stopListening))
        )
      })
  })
})

/**
 * Makes a server of sessions over TCP, which listens at once. Fails with `InvalidOptions` before it creates anything,
 * or with `ServerFailed`, whose message has the address and the reason. `run` can be called once: a second call fails
 * with `ServerFailed` (`"RunBefore"`). It fails with `ServerFailed` (`"Stopped"`) when the scope of the server has
 * closed.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { NodeSessionServer } from "effect-muxado/node"
 *
 * const program = Effect.gen(function* () {
 *   const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 7000 })
 *   return yield* server.run((session) => session.serve((stream) => stream.finish))
 * }).pipe(Effect.scoped)
 * ```
 */
export const makeTcp = (
  where: TcpOptions | ListeningSocket,
  options?: ServerOptions
): Effect.Effect<SessionServerService, ServerFailed | InvalidOptions, Scope.Scope> =>
  make({ _tag: "Tcp", where }, resolveServer(options))

/**
 * Makes a server of sessions over TLS, which listens at once. If a client's handshake fails or exceeds
 * `handshakeTimeout`, the server closes the connection without a session, and logs one debug line with the reason and
 * the client's address. Fails as `makeTcp` does.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { NodeSessionServer } from "effect-muxado/node"
 *
 * const server = (key: string, cert: string) => NodeSessionServer.makeTls({ port: 7443, key, cert })
 * ```
 */
export const makeTls = (
  where: TlsOptions | (Tls.TlsOptions & ListeningSocket),
  options?: ServerOptions
): Effect.Effect<SessionServerService, ServerFailed | InvalidOptions, Scope.Scope> =>
  make({ _tag: "Tls", options: where }, resolveServer(options))

/**
 * Makes a server of sessions over a unix socket, which listens at once. Fails as `makeTcp` does.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { NodeSessionServer } from "effect-muxado/node"
 *
 * const server = NodeSessionServer.makeUnix({ path: "/run/my-service/mux.sock", mode: 0o600, replaceStale: true })
 * ```
 */
export const makeUnix = (
  where: UnixOptions,
  options?: ServerOptions
): Effect.Effect<SessionServerService, ServerFailed | InvalidOptions, Scope.Scope> =>
  make({ _tag: "Unix", ...where }, resolveServer(options))

/**
 * `makeTcp` as a layer.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { SessionServer } from "effect-muxado"
 * import { NodeSessionServer } from "effect-muxado/node"
 * import { Effect } from "effect"
 *
 * const program = SessionServer.run((session) => session.serve((stream) => stream.write("hello")))
 *
 * const main = Effect.provide(program, NodeSessionServer.layerTcp({ host: "127.0.0.1", port: 7000 }))
 * ```
 */
export const layerTcp = (
  where: TcpOptions | ListeningSocket,
  options?: ServerOptions
): Layer.Layer<SessionServer, ServerFailed | InvalidOptions> => Layer.scoped(SessionServer, makeTcp(where, options))

/**
 * `makeTls` as a layer.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeSessionServer } from "effect-muxado/node"
 *
 * const ServerLive = (key: string, cert: string) => NodeSessionServer.layerTls({ port: 7443, key, cert })
 * ```
 */
export const layerTls = (
  where: TlsOptions | (Tls.TlsOptions & ListeningSocket),
  options?: ServerOptions
): Layer.Layer<SessionServer, ServerFailed | InvalidOptions> => Layer.scoped(SessionServer, makeTls(where, options))

/**
 * `makeUnix` as a layer.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeSessionServer } from "effect-muxado/node"
 *
 * const ServerLive = NodeSessionServer.layerUnix({ path: "/run/my-service/mux.sock", mode: 0o600 })
 * ```
 */
export const layerUnix = (
  where: UnixOptions,
  options?: ServerOptions
): Layer.Layer<SessionServer, ServerFailed | InvalidOptions> => Layer.scoped(SessionServer, makeUnix(where, options))
