/**
 * The byte transport of a session. The session reads one chunk at a time and writes batches of chunks.
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
 * A new transport with the operations of `transport` and a fast path: see `FastPath` for what `each` and `tryWrite`
 * must do. The new transport is frozen. A copy of it (a spread, `Object.assign`, `Object.create`) and a Proxy have no
 * fast path. A session uses their own `read` and `write`. Throws `InvalidOptions` if `transport` is no object. A
 * session over a transport whose `each` or `tryWrite` is no function fails with `InvalidOptions`.
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
 * Whether a value has the four operations of a transport: `read`, `end` and `destroy` are effects, `write` is a
 * function. A transport has no type id, so that programs can write their own. A Node stream is not a transport:
 * its operations are functions. `NodeTransport.fromDuplex` makes a transport from it. Takes any value, and
 * never throws.
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
 * Makes a transport over any `Socket` of `@effect/platform`. Completes when the socket is open. Fails with
 * `TransportFailed` (`"Open"`) if it does not open. Closes the socket when the scope closes. A `Socket` has these
 * limits:
 *
 * - Only a WebSocket with `pause` and `resume` (from the package `ws`) is paused, while more than 1 MiB is unread. For
 *   any other source, unread bytes stay in memory. The session's windows limit them; against a peer that ignores its
 *   windows, `maxBuffered` limits them. For TCP and TLS, use `NodeTransport`, which can pause.
 * - A WebSocket accepts every `write` at once, even if the peer reads nothing. So the transport waits until the
 *   WebSocket's `bufferedAmount` is small enough. For this it must find the WebSocket under the `Socket`. It knows the
 *   WebSocket from the start in `makeWebSocket`, in `SessionServer`, and with `layerWebSocketConstructorArrayBuffer`.
 *   Otherwise it finds the WebSocket when the first message arrives. Until then writes do not wait, and only the
 *   session's windows limit unsent bytes. If that is too late, set the option `bufferedAmount`.
 * - The peer cannot half-close: after the peer's end, this side cannot write. After `end`, if the socket can end its
 *   writing separately (TCP), reading continues and `end` completes at once. If not (WebSocket), `end` starts the
 *   closing handshake and completes with it.
 * - An abnormal end may look like an orderly one: a `Socket` made from a WebSocket reports the close codes 1006 and
 *   1000 in the same way. Use `makeWebSocket`, or the option `closeCodeIsError: () => true`, so that it fails with
 *   `"Read"`.
 *
 * The peer's close codes 1000, 1001 and 1005 give `"Ended"`; every other code gives `"Read"`. A text message fails the
 * transport (`"Read"`), because a session uses only binary messages. If the socket's `runRaw` or `writer` throws, dies,
 * fails or interrupts itself, the transport ends with that cause. If the socket does not open within `openTimeout`, or
 * if an option is invalid, it fails with `"Open"`. The socket runs outside of every `AsyncLocalStorage` context.
 *
 * The transport passes a single chunk to the socket without copying, and several chunks as one copied chunk.
 *
 * A Socket can carry one transport at a time. A second transport over it fails with `"Open"`. A value that is not a
 * Socket fails in the same way.
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
 * A transport over the `Socket` in the context. See `fromSocket`.
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
 * Connects a WebSocket and makes a transport from it. Each `write` is one binary message. A `write` waits while more
 * than `highWaterMark` bytes are unsent. Fails with `TransportFailed` (`"Open"`) when it does not open. Its errors
 * contain the URL without user, password and query (`endpoint`).
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
 * The transport over a WebSocket that connects to `url`. See `makeWebSocket`.
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
 * Makes a WebSocket constructor whose sockets deliver `ArrayBuffer`s. With the default (`Blob`), a later message can
 * overtake an earlier one. `makeWebSocket` does this itself. Provide this layer to `Socket.layerWebSocket` if you make
 * a transport from its socket with `layerSocket`.
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
