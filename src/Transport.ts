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

/**
 * What TLS knows of a peer. `authorized` is true when the peer showed a certificate and this side verified it;
 * `authorizationError` says why not. `certificate` is the one that the peer showed, which a client does only if the
 * server asked for it (`requestCert`). Do not trust a certificate without `authorized`.
 *
 * @since 0.1.0
 * @category models
 */
export interface PeerTls {
  /** The peer showed a certificate, and this side verified it. */
  readonly authorized: boolean
  /** Why it is not authorized, in Node's words. */
  readonly authorizationError: string | undefined
  /** The certificate that the peer showed. */
  readonly certificate: PeerCertificate | undefined
  /** The application protocol that both sides agreed on (ALPN). */
  readonly alpnProtocol: string | undefined
  /** The server name that the client asked for (SNI). */
  readonly serverName: string | undefined
  /** The TLS version: `"TLSv1.3"`. */
  readonly protocol: string | undefined
}

/**
 * A certificate, as far as a program needs it to tell who the peer is. `raw` is its DER form.
 *
 * @since 0.1.0
 * @category models
 */
export interface PeerCertificate {
  /** Whose certificate it is, by attribute: `CN`, `O`, `OU`. */
  readonly subject: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** Who signed it, by attribute. */
  readonly issuer: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** The other names of the subject: `DNS:example.com, IP Address:127.0.0.1`. */
  readonly subjectAltName: string | undefined
  /** In hexadecimal digits. */
  readonly serialNumber: string
  /** The SHA-256 of `raw`: two hexadecimal digits for each byte, with colons between. */
  readonly fingerprint256: string
  /** As Node writes it: `Nov 29 08:00:00 2026 GMT`. */
  readonly validFrom: string
  /** As `validFrom`. */
  readonly validTo: string
  /** The certificate in DER form. */
  readonly raw: Uint8Array
}

/**
 * The other end of a connection: its address and port, or the path of the unix socket.
 *
 * @since 0.1.0
 * @category models
 */
export type Peer =
  | {
      readonly _tag: "Tcp"
      /** An IPv4 or IPv6 address, without brackets. */
      readonly address: string
      /** 1 to 65,535. */
      readonly port: number
      /** `undefined` on a connection without TLS. */
      readonly tls: PeerTls | undefined
    }
  | {
      readonly _tag: "Unix"
      /** The path of the socket, or the name of a Windows pipe. */
      readonly path: string
    }

/**
 * A reliable, ordered, bidirectional byte transport.
 *
 * - `read` gives the next chunk (at least 1 byte), and fails with `TransportFailed`: `"Ended"` after the peer's orderly
 *   end, `"Read"` otherwise, again and again once it has failed. Only one fiber reads. Interrupting `read` loses no
 *   bytes. While nothing reads, the source is paused, or the adapter says that it cannot.
 * - `write` writes the chunks in order, as one write of the medium (writev, one WebSocket message), and completes when
 *   the medium is ready for more. Only one fiber writes. It fails, never hangs, once the transport has ended. A chunk
 *   that is not a `Uint8Array` fails that write, with a `TypeError` as the cause; nothing of it is sent.
 * - `end` says that nothing more will be written: what was written is still delivered, and reading stays possible where
 *   the medium has a half-close. It may take as long as the medium does; it never fails.
 * - `destroy` drops the medium at once, and never waits: pending reads and writes fail. Closing the scope in which the
 *   transport was made does the same. Both are idempotent.
 *
 * A chunk given to a transport is a view: it may show only a part of its ArrayBuffer, may share it with other chunks of
 * the batch, and belongs to the application; copy before transferring or keeping it. Nothing changes the bytes until
 * `write` completes. A chunk that `read` gives belongs to its reader, and may be a view of a larger buffer, too.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportService {
  /** The other end of the medium, where the medium knows it. */
  readonly peer?: Peer | undefined
  /**
   * The next chunk, of at least 1 byte. Fails with `TransportFailed`: `"Ended"` after the peer's orderly end, `"Read"`
   * otherwise, again and again once it has failed. Interrupting it loses no bytes. Only one fiber reads.
   */
  readonly read: Effect.Effect<Uint8Array, TransportFailed>
  /**
   * Writes the chunks in order, as one write of the medium. Completes when the medium is ready for more. Fails with
   * `TransportFailed` (`"Write"`), also once the transport has ended. Only one fiber writes.
   */
  readonly write: (chunks: ReadonlyArray<Uint8Array>) => Effect.Effect<void, TransportFailed>
  /** Says that nothing more will be written. What was written is still delivered. Never fails, and is idempotent. */
  readonly end: Effect.Effect<void>
  /** Drops the medium at once: pending reads and writes fail. Never fails, never waits, and is idempotent. */
  readonly destroy: Effect.Effect<void>
  /** Reading and writing without a fiber's turn. `withFastPath` makes it; a copy of the transport does not have it. */
  readonly fastPath?: FastPath | undefined
}

/**
 * Reading and writing without a fiber's turn, for a medium that calls back. To wake a fiber for each chunk, and another
 * for each answer, costs more than a small message itself. It keeps every promise that `read` and `write` make:
 *
 * - `each` calls `take` with each chunk, in order, in the step in which the chunk arrives. It begins with what has arrived
 *   already, whatever its size. When the medium ends or fails, `each` hands over the last byte first, and then fails with
 *   what `read` fails with, again and again.
 * - `take` gives `false` to ask for a pause. Then `each` hands over nothing more and completes; what it has not handed over
 *   is for the next `read` or `each`. A chunk that is handed over nevertheless is held in memory. While `take` gives `true`,
 *   `each` does not complete.
 * - Interrupting `each` loses nothing, as with `read`. It calls `take` no more.
 * - `take` never throws, and may be called at any time but in `tryWrite`. A chunk belongs to the session, as with `read`.
 * - The event loop gets its turns. After 1 MiB without one, `each` waits for one.
 * - `tryWrite` writes all chunks at once, in order, and gives `true`; or it writes nothing and gives `false`, and the session
 *   calls `write`. It gives `false` where the medium is not ready for more. It is never called while a `write` is under
 *   way, and takes up to about 8 KiB. As with `write`, copy chunks that are kept for later.
 * - If `each` or `tryWrite` throws, dies or gives something else, the session ends with `TransportFailed`.
 *
 * A session uses the fast path of the object that `owner` is, and of no other object.
 *
 * @since 0.1.0
 * @category models
 */
export interface FastPath {
  /** The transport that offers it. */
  readonly owner: TransportService
  readonly each: (take: (chunk: Uint8Array) => boolean) => Effect.Effect<void, TransportFailed>
  readonly tryWrite: (chunks: ReadonlyArray<Uint8Array>) => boolean
}

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
