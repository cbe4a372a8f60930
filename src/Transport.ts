/**
 * The byte transport under a session: whole chunks are pulled from it, batches of chunks are written to it.
 *
 * @module
 * @since 0.1.0
 */
import * as Socket from "@effect/platform/Socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { SocketOptions } from "./internal/transport/fromSocket.js"
import * as socketTransport from "./internal/transport/fromSocket.js"
import { offerFastPath } from "./internal/transport/fastPath.js"
import type { WebSocketOptions } from "./internal/transport/webSocket.js"
import * as webSocket from "./internal/transport/webSocket.js"
import { describe } from "./internal/support/describe.js"
import type { TransportFailed } from "./MuxadoError.js"
import { InvalidOptions } from "./MuxadoError.js"
import type { FastPath, TransportService } from "./internal/transport/transportService.js"

export type {
  FastPath,
  Peer,
  PeerCertificate,
  PeerTls,
  TransportService
} from "./internal/transport/transportService.js"

/**
 * A new transport with the operations of `transport` and a fast path: see `FastPath` for what `each` and `tryWrite` must do.
 * The new transport is frozen. A copy of it (a spread, `Object.assign`, `Object.create`) and a Proxy have no fast path, so
 * whatever their `read` and `write` do is done. Throws `InvalidOptions` if `transport` is no object. A session over a
 * transport whose `each` or `tryWrite` is no function fails with `InvalidOptions`.
 *
 * @example
 * ```ts
 * import { Transport } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * interface Port {
 *   // keeps what arrives while there is no listener
 *   readonly onChunk: (listener: ((chunk: Uint8Array) => void) | undefined) => void
 *   readonly post: (chunk: Uint8Array) => boolean
 * }
 *
 * export const fast = (transport: Transport.TransportService, port: Port): Transport.TransportService =>
 *   Transport.withFastPath(transport, {
 *     each: (take) =>
 *       Effect.async((resume) => {
 *         const pause = () => port.onChunk(undefined)
 *         port.onChunk((chunk) => {
 *           if (take(chunk)) return
 *           pause()
 *           resume(Effect.void)
 *         })
 *         return Effect.sync(pause)
 *       }),
 *     tryWrite: ([chunk, ...others]) => chunk !== undefined && others.length === 0 && port.post(chunk)
 *   })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const withFastPath = (transport: TransportService, fastPath: Omit<FastPath, "owner">): TransportService => {
  const given: unknown = transport
  if (typeof given !== "object" || given === null) {
    throw new InvalidOptions({ detail: `withFastPath: the transport must be an object, not ${describe(given)}` })
  }
  const { destroy, end, peer, read } = transport
  const owner: TransportService = { peer, read, write: (chunks) => transport.write(chunks), end, destroy }
  return offerFastPath(owner, { ...fastPath, owner })
}

/**
 * Whether a value has the four operations of a transport: `read`, `end` and `destroy` are effects, `write` is a function.
 * A transport needs no mark, so that anyone can write one by hand. A Node stream is none: its operations are functions
 * (`NodeTransport.fromDuplex` makes a transport of it). Takes any value, and never throws.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTransport = (value: unknown): value is TransportService => {
  if (typeof value !== "object" || value === null) return false
  try {
    return (
      Effect.isEffect(Reflect.get(value, "read")) &&
      Effect.isEffect(Reflect.get(value, "end")) &&
      Effect.isEffect(Reflect.get(value, "destroy")) &&
      typeof Reflect.get(value, "write") === "function"
    )
  } catch {
    // a getter, or a trap of a Proxy
    return false
  }
}

/**
 * The transport that a session runs over.
 *
 * @since 0.1.0
 * @category tags
 */
export class Transport extends Context.Tag("effect-muxado/Transport")<Transport, TransportService>() {}

// --- any Socket of @effect/platform -----------------------------------------------------------------------------------

export type { SocketOptions } from "./internal/transport/fromSocket.js"

export type { WebSocketOptions } from "./internal/transport/webSocket.js"

/**
 * A transport over any `Socket` of `@effect/platform`; completes when the socket is open, fails with `TransportFailed`
 * (`"Open"`) when it does not open, and drops the socket when the scope closes. What a `Socket` cannot give:
 *
 * - Only a WebSocket that has `pause` and `resume` (one of `ws`) is paused, while more than 1 MiB is unread. Of any other
 *   source, what has arrived and was not read is held in memory; the windows of a session bound that, and `maxBuffered`
 *   does so against a peer that ignores them. A TCP or TLS connection is better served by `NodeTransport`, which does
 *   pause.
 * - A `write` to a WebSocket completes at once, whatever the peer takes. So a transport waits for its `bufferedAmount`,
 *   and has to find the WebSocket for that. It knows it from the start in `makeWebSocket`, in `SessionServer`, and under
 *   `layerWebSocketConstructorArrayBuffer`. Otherwise the platform shows it with the first message: until that has come,
 *   writes do not wait, and a session is bounded by its windows alone. The option `bufferedAmount` serves where this is
 *   too late.
 * - There is no half-close by the peer: after its end nothing can be written. After our own `end`, reading goes on where
 *   the socket can end its writing alone (TCP), and `end` completes at once; where it cannot (WebSocket), `end` starts
 *   the closing handshake and completes with it.
 * - An abnormal end may look orderly: a `Socket` made from a WebSocket reports the close code 1006 as it does 1000. Use
 *   `makeWebSocket`, or the option `closeCodeIsError: () => true`, to have it fail with `"Read"`.
 *
 * The close codes 1000, 1001 and 1005 of the peer are `"Ended"`, every other one is `"Read"`. A text message is a failure
 * (`"Read"`): no byte of a session comes in one. A socket whose `runRaw` or `writer` throws, dies, fails or interrupts
 * itself ends the transport with that cause; one that does not open within `openTimeout` fails with `"Open"`, as an
 * option does that makes no sense. The socket runs outside of every `AsyncLocalStorage` context.
 *
 * A single chunk goes to the socket as it is, several as one copy.
 *
 * One Socket carries one transport at a time: a second one over it fails with `"Open"`, and so does a value that is no
 * Socket.
 *
 * @example
 * ```ts
 * import { NodeSocket } from "@effect/platform-node"
 * import { Session, Transport } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port: 7000 })
 *   const transport = yield* Transport.fromSocket(socket, { maxBuffered: 4 * 1024 * 1024 })
 *   const session = yield* Session.fromTransport(transport, { role: "client" })
 *   return yield* session.ping
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSocket: (
  socket: Socket.Socket,
  options?: SocketOptions
) => Effect.Effect<TransportService, TransportFailed, Scope.Scope> = socketTransport.make

/**
 * The transport over the `Socket` of the context; what `fromSocket` says holds.
 *
 * @example
 * ```ts
 * import { NodeSocket } from "@effect/platform-node"
 * import { Session, Transport } from "effect-muxado"
 * import { Layer } from "effect"
 *
 * const SessionLive = Session.layerClient().pipe(
 *   Layer.provide(Transport.layerSocket({ openTimeout: "3 seconds" })),
 *   Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port: 7000 }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSocket = (options?: SocketOptions): Layer.Layer<Transport, TransportFailed, Socket.Socket> =>
  Layer.fresh(
    Layer.scoped(
      Transport,
      Effect.flatMap(Socket.Socket, (socket) => fromSocket(socket, options))
    )
  )

// --- WebSocket clients ------------------------------------------------------------------------------------------------

/**
 * Connects a WebSocket and makes it a transport: binary messages only, every `write` one message, and a `write` waits
 * while more than `highWaterMark` bytes are unsent. Fails with `TransportFailed` (`"Open"`) when it does not open. Its
 * errors name the URL, without user, password and query (`endpoint`).
 *
 * @example
 * ```ts
 * import { Socket } from "@effect/platform"
 * import { Session, Transport } from "effect-muxado"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const transport = yield* Transport.makeWebSocket("wss://mux.example.com")
 *   const session = yield* Session.fromTransport(transport, { role: "client" })
 *   return yield* session.ping
 * }).pipe(Effect.scoped, Effect.provide(Socket.layerWebSocketConstructorGlobal))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeWebSocket: (
  url: string | Effect.Effect<string>,
  options?: WebSocketOptions
) => Effect.Effect<TransportService, TransportFailed, Scope.Scope | Socket.WebSocketConstructor> =
  webSocket.makeWebSocket

/**
 * The transport over a WebSocket that connects to `url`; what `makeWebSocket` says holds.
 *
 * @example
 * ```ts
 * import { Socket } from "@effect/platform"
 * import { Session, Transport } from "effect-muxado"
 * import { Layer } from "effect"
 *
 * const SessionLive = Session.layerClient().pipe(
 *   Layer.provide(Transport.layerWebSocket("wss://mux.example.com", { highWaterMark: 1024 * 1024 })),
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
): Layer.Layer<Transport, TransportFailed, Socket.WebSocketConstructor> =>
  Layer.fresh(Layer.scoped(Transport, makeWebSocket(url, options)))

/**
 * Makes the WebSockets of the context's constructor deliver `ArrayBuffer`s: with their own default (`Blob`) messages may
 * overtake one another on the way to a `Socket`. `makeWebSocket` does this by itself; put this under
 * `Socket.layerWebSocket` when its socket is to become a transport with `layerSocket`.
 *
 * @example
 * ```ts
 * import { Socket } from "@effect/platform"
 * import { Transport } from "effect-muxado"
 * import { Layer } from "effect"
 *
 * const TransportLive = Transport.layerSocket().pipe(
 *   Layer.provide(Socket.layerWebSocket("wss://mux.example.com")),
 *   Layer.provide(Transport.layerWebSocketConstructorArrayBuffer),
 *   Layer.provide(Socket.layerWebSocketConstructorGlobal)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWebSocketConstructorArrayBuffer: Layer.Layer<
  Socket.WebSocketConstructor,
  never,
  Socket.WebSocketConstructor
> = Layer.fresh(
  Layer.effect(Socket.WebSocketConstructor, Effect.map(Socket.WebSocketConstructor, webSocket.deliveringArrayBuffers))
)
