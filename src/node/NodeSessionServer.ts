/**
 * Listeners on TCP, TLS and unix sockets whose connections are sessions.
 *
 * @module
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { runConnections } from "../internal/server/connections.js"
import { InvalidOptions, ServerFailed } from "../MuxadoError.js"
import type { ResolvedServerOptions, ServerOptions } from "../SessionOptions.js"
import { resolveServer } from "../SessionOptions.js"
import type { SessionServerService } from "../SessionServer.js"
import { SessionServer } from "../SessionServer.js"
import { fromDuplex } from "./internal/duplex.js"
import type { ListenOptions, TlsListenOptions as TlsOptions } from "./internal/listener.js"
import { listen } from "./internal/listener.js"
import { listenProblems } from "./internal/where.js"

/**
 * Where to listen: port 0 picks a free one, and no `host` means every address.
 *
 * @since 0.1.0
 * @category models
 */
export interface TcpOptions {
  /** A name or an address. Default: every address of the machine, IPv4 and IPv6. */
  readonly host?: string | undefined
  /** 0 to 65,535; 0 picks a free one, which `address` shows. */
  readonly port: number
}

export type { TlsListenOptions as TlsOptions } from "./internal/listener.js"

/**
 * Where to listen. The server's end removes the file, unless another server has taken its place.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnixOptions {
  /** The socket's path, at most 107 bytes on Linux and 103 elsewhere. */
  readonly path: string
  /**
   * The permissions of the socket file (`0o600`: this user alone may connect). The file never has others, not even for a
   * moment. Default: what the umask of the process gives.
   */
  readonly mode?: number | undefined
  /**
   * Replaces a socket file on which nothing listens, as a server that was killed leaves it. Never replaces one with a live
   * server, nor a file that is not a socket. Default false: such a file is an error that says so.
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
 * Sessions over plain TCP. Listens from now on. Fails with `InvalidOptions` before anything is created, or with
 * `ServerFailed`, whose message says where and why. `run` runs once; it fails with `ServerFailed` (`"RunBefore"`) the second
 * time, and (`"Stopped"`) when the scope of the server has closed.
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
  where: TcpOptions,
  options?: ServerOptions
): Effect.Effect<SessionServerService, ServerFailed | InvalidOptions, Scope.Scope> =>
  make({ _tag: "Tcp", ...where }, resolveServer(options))

/**
 * Sessions over TLS. A client whose handshake fails or takes too long is dropped: it is never a session, and one debug
 * line says why, with its address. Fails as `makeTcp` does.
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
  where: TlsOptions,
  options?: ServerOptions
): Effect.Effect<SessionServerService, ServerFailed | InvalidOptions, Scope.Scope> =>
  make({ _tag: "Tls", options: where }, resolveServer(options))

/**
 * Sessions over a unix socket. Fails as `makeTcp` does.
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
  where: TcpOptions,
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
  where: TlsOptions,
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
