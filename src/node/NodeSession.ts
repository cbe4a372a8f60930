/**
 * Clients over TCP, TLS, unix sockets and WebSockets: from an address to a session that connects again by itself.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ManagedSessionService, ManagingOptions } from "../ManagedSession.js"
import * as ManagedSession from "../ManagedSession.js"
import { resolve } from "../internal/managed/options.js"
import * as service from "../internal/managed/service.js"
import { InvalidOptions, type TransportFailed } from "../MuxadoError.js"
import { Session } from "../Session.js"
import type { TransportService } from "../Transport.js"
import { tcpProblems, tlsProblems, unixProblems } from "./internal/where.js"
import type { TcpOptions, TlsOptions, UnixOptions } from "./NodeTransport.js"
import * as NodeTransport from "./NodeTransport.js"

export type { TcpOptions, TlsOptions, UnixOptions } from "./NodeTransport.js"

/**
 * Makes a managed session over TCP. Each attempt resolves the name again. Does not wait for the connection. Fails with
 * `InvalidOptions` for a wrong address or option.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { MuxStream } from "effect-muxado"
 * import { NodeSession } from "effect-muxado/node"
 *
 * const program = Effect.gen(function* () {
 *   const session = yield* NodeSession.makeTcp({ host: "127.0.0.1", port: 7000 })
 *   return yield* session.withStream((stream) => MuxStream.readAll(stream))
 * }).pipe(Effect.scoped)
 * ```
 */
export const makeTcp = (
  where: TcpOptions,
  options?: ManagingOptions
): Effect.Effect<ManagedSessionService, InvalidOptions, Scope.Scope> =>
  make(where, tcpProblems(where), NodeTransport.makeTcp, options)

/**
 * Makes a managed session over TLS. Node verifies the certificate of the server at each attempt. Otherwise it is the
 * same as `makeTcp`. The option `socket` of Node is wrong here, because one socket cannot be connected again.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { NodeSession } from "effect-muxado/node"
 *
 * const making = NodeSession.makeTls({ host: "mux.example.com", port: 7443 }, { openTimeout: "3 seconds" })
 * ```
 */
export const makeTls = (
  where: TlsOptions,
  options?: ManagingOptions
): Effect.Effect<ManagedSessionService, InvalidOptions, Scope.Scope> =>
  make(where, [...tlsProblems(where), ...socketProblem(where)], NodeTransport.makeTls, options)

/**
 * Makes a managed session over a unix socket. Otherwise it is the same as `makeTcp`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { NodeSession } from "effect-muxado/node"
 *
 * const making = NodeSession.makeUnix({ path: "/run/my-service/mux.sock" })
 * ```
 */
export const makeUnix = (
  where: UnixOptions,
  options?: ManagingOptions
): Effect.Effect<ManagedSessionService, InvalidOptions, Scope.Scope> =>
  make(where, unixProblems(where), NodeTransport.makeUnix, options)

/**
 * `makeTcp` as a layer of `Session` and `ManagedSession`, which are one object. All uses of one layer in a program share
 * one managed session.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { MuxStream, Session } from "effect-muxado"
 * import { NodeSession } from "effect-muxado/node"
 *
 * const program = Effect.flatMap(Session.Session, (session) => session.withStream((stream) => MuxStream.readAll(stream)))
 *
 * const main = Effect.provide(program, NodeSession.layerTcp({ host: "127.0.0.1", port: 7000 }))
 * ```
 */
export const layerTcp = (
  where: TcpOptions,
  options?: ManagingOptions
): Layer.Layer<Session | ManagedSession.ManagedSession, InvalidOptions> => layer(makeTcp(where, options))

/**
 * `makeTls` as a layer of `Session` and `ManagedSession`, which are one object. All uses of one layer in a program share
 * one managed session.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeSession } from "effect-muxado/node"
 *
 * const ClientLive = NodeSession.layerTls({ host: "mux.example.com", port: 7443 }, { maxAge: "1 hour" })
 * ```
 */
export const layerTls = (
  where: TlsOptions,
  options?: ManagingOptions
): Layer.Layer<Session | ManagedSession.ManagedSession, InvalidOptions> => layer(makeTls(where, options))

/**
 * `makeUnix` as a layer of `Session` and `ManagedSession`, which are one object. All uses of one layer in a program share
 * one managed session.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeSession } from "effect-muxado/node"
 *
 * const ClientLive = NodeSession.layerUnix({ path: "/run/my-service/mux.sock" }, { dial: "OnDemand" })
 * ```
 */
export const layerUnix = (
  where: UnixOptions,
  options?: ManagingOptions
): Layer.Layer<Session | ManagedSession.ManagedSession, InvalidOptions> => layer(makeUnix(where, options))

/**
 * A managed session over WebSockets: see `ManagedSession.layerWebSocket`. Provide the constructor of the WebSockets:
 * `NodeSocket.layerWebSocketConstructor` of `@effect/platform-node`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeSocket } from "@effect/platform-node"
 * import { NodeSession } from "effect-muxado/node"
 * import { Layer } from "effect"
 *
 * const ClientLive = NodeSession.layerWebSocket("wss://mux.example.com").pipe(
 *   Layer.provide(NodeSocket.layerWebSocketConstructor)
 * )
 * ```
 */
export const layerWebSocket = ManagedSession.layerWebSocket

/** Checks the address and the options when it is called, and not at each attempt, and names all that is wrong. */
const make = <Where extends object>(
  where: Where,
  problems: ReadonlyArray<string>,
  connect: (where: Where) => Effect.Effect<TransportService, TransportFailed, Scope.Scope>,
  options: ManagingOptions | undefined
): Effect.Effect<ManagedSessionService, InvalidOptions, Scope.Scope> => {
  // a copy, which the caller cannot change later
  const address = { ...where }
  if (options !== undefined && !isObject(options)) {
    return refused([...problems, "the options of the managed session must be an object, such as { size: 3 }"])
  }
  return Either.match(resolve({ ...options, connect: Effect.suspend(() => connect(address)) }), {
    onLeft: ({ detail }) => refused([...problems, detail]),
    onRight: (resolved) => (problems.length === 0 ? service.make(resolved) : refused(problems))
  })
}

const isObject = (given: unknown): boolean => typeof given === "object" && given !== null && !Array.isArray(given)

const refused = (problems: ReadonlyArray<string>): Effect.Effect<never, InvalidOptions> => {
  const detail = problems.join("\n")
  return Effect.fail(new InvalidOptions({ detail, cause: new RangeError(detail) }))
}

const socketProblem = (where: TlsOptions): ReadonlyArray<string> =>
  typeof where === "object" && where !== null && where.socket !== undefined
    ? [
        "socket: one socket cannot be connected again; use ManagedSession.make, whose `connect` makes a socket each time"
      ]
    : []

const layer = (
  made: Effect.Effect<ManagedSessionService, InvalidOptions, Scope.Scope>
): Layer.Layer<Session | ManagedSession.ManagedSession, InvalidOptions> =>
  Layer.scopedContext(
    Effect.map(made, (session) =>
      Context.make(ManagedSession.ManagedSession, session).pipe(Context.add(Session, session))
    )
  )
