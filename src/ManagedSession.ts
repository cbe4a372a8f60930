/**
 * A session that connects, reconnects and moves: for clients that live longer than one connection.
 *
 * @module
 * @since 0.1.0
 */
import type * as Socket from "@effect/platform/Socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ManagedSessionService, ManagingOptions, Options } from "./internal/managed/managedService.js"
import { resolve } from "./internal/managed/options.js"
import * as service from "./internal/managed/service.js"
import type { InvalidOptions } from "./MuxadoError.js"
import { Session } from "./Session.js"
import * as Transport from "./Transport.js"

export type {
  Event,
  ManagedSessionService,
  ManagingOptions,
  MoveReason,
  Options,
  Status,
  WithStreamOptions
} from "./internal/managed/managedService.js"

/**
 * The options of a managed session over WebSockets.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebSocketOptions extends ManagingOptions {
  /** The options of each WebSocket. */
  readonly webSocket?: Transport.WebSocketOptions | undefined
}

/**
 * The managed session of a program, with its status. Its layers provide the same object as `Session`, too: programs
 * that are written for a session need no change.
 *
 * @since 0.1.0
 * @category tags
 */
export class ManagedSession extends Context.Tag("effect-muxado/ManagedSession")<
  ManagedSession,
  ManagedSessionService
>() {}

/**
 * Makes a managed session, which begins to connect at once, unless `dial` is `"OnDemand"`. It does not wait for the
 * connection. When its scope closes, it drains its sessions. Fails with `InvalidOptions`: no failed connection fails
 * it. The options are read when it is called.
 *
 * What `connect` does, and what comes of it:
 *
 * - It is run for each attempt, in a new scope. This scope closes after the session has ended.
 * - If it fails, dies, interrupts itself, or does not complete within `connectTimeout`, the attempt has failed. Its
 *   error is the `cause` of `SessionUnavailable` and in `status`. A defect is logged as an error.
 * - A transport carries one session. If it returns a transport that has carried one, the attempt has failed.
 *
 * @example
 * ```ts
 * import { ManagedSession, MuxStream } from "effect-muxado"
 * import { NodeTransport } from "effect-muxado/node"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const session = yield* ManagedSession.make({
 *     connect: NodeTransport.makeTcp({ host: "127.0.0.1", port: 7000 }),
 *     openTimeout: "5 seconds"
 *   })
 *   return yield* session.withStream((stream) => MuxStream.readAll(stream), { retry: true })
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R = never>(
  options: Options<E, R>
): Effect.Effect<ManagedSessionService, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> => {
  const resolving = resolve(options)
  return Effect.flatMap(resolving, (resolved) => service.make(resolved))
}

/**
 * `make` as a layer of `Session` and `ManagedSession`, which are one object.
 *
 * Each use of the layer makes a managed session of its own, because its requirements may differ. To share one, compose
 * the layer once, for example `Layer.provide(AppLive, ClientLive)`.
 *
 * @example
 * ```ts
 * import { ManagedSession, Session, Transport } from "effect-muxado"
 * import { Socket } from "@effect/platform"
 * import { Effect, Layer } from "effect"
 *
 * const ClientLive = ManagedSession.layer({ connect: Transport.makeWebSocket("wss://mux.example.com") }).pipe(
 *   Layer.provide(Socket.layerWebSocketConstructorGlobal)
 * )
 *
 * const program = Effect.flatMap(Session.Session, (session) => session.ping).pipe(Effect.provide(ClientLive))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R = never>(
  options: Options<E, R>
): Layer.Layer<Session | ManagedSession, InvalidOptions, Exclude<R, Scope.Scope>> => Layer.fresh(layerOf(make(options)))

/**
 * A managed session over WebSockets, in browsers and elsewhere. `url` can be an effect, which runs for each attempt. The
 * constructor of the WebSockets comes from the context.
 *
 * @example
 * ```ts
 * import { ManagedSession } from "effect-muxado"
 * import { Socket } from "@effect/platform"
 * import { Layer } from "effect"
 *
 * const ClientLive = ManagedSession.layerWebSocket("wss://mux.example.com").pipe(
 *   Layer.provide(Socket.layerWebSocketConstructorGlobal)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWebSocket = (
  url: string | Effect.Effect<string>,
  options?: WebSocketOptions
): Layer.Layer<Session | ManagedSession, InvalidOptions, Socket.WebSocketConstructor> => {
  const { webSocket, ...managing } = { ...options }
  return layer({ ...managing, connect: Transport.makeWebSocket(url, webSocket) })
}

/** The layer of both services from one managed session. */
const layerOf = <E, R>(
  made: Effect.Effect<ManagedSessionService, E, R | Scope.Scope>
): Layer.Layer<Session | ManagedSession, E, Exclude<R, Scope.Scope>> =>
  Layer.scopedContext(
    Effect.map(made, (session) => Context.make(ManagedSession, session).pipe(Context.add(Session, session)))
  )
