/**
 * Transports over Node's sockets: TCP, TLS, unix sockets, and any other Duplex.
 *
 * They keep the whole contract of `TransportService`. While no fiber reads, the source is paused, with at most its
 * `highWaterMark` and one chunk buffered. A batch of chunks is one `writev`. The `initiator` of an error is `"Remote"`
 * if the peer or the network caused it, and `"Local"` if this side did. Its `processed` is `"no"` only while opening.
 *
 * @module
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import * as Tls from "node:tls"
import type { TransportFailed } from "../MuxadoError.js"
import type { TransportService } from "../Transport.js"
import { Transport } from "../Transport.js"
import { connect, KEEP_ALIVE_DELAY } from "./internal/connect.js"
import * as internal from "./internal/duplex.js"
import { tcpEndpoint, unixEndpoint } from "./internal/peer.js"
import { tcpProblems, tlsProblems, unixProblems } from "./internal/where.js"

/**
 * The address to connect to with TCP, and Node's options for it. Default of `host`: `"localhost"`. The kernel probes a
 * silent peer after `keepAliveInitialDelay` milliseconds (default 30,000), unless `keepAlive` is false.
 *
 * @since 0.1.0
 * @category models
 */
export interface TcpOptions extends Pick<
  Net.TcpNetConnectOpts,
  | "host"
  | "port"
  | "localAddress"
  | "localPort"
  | "family"
  | "hints"
  | "lookup"
  | "autoSelectFamily"
  | "autoSelectFamilyAttemptTimeout"
  | "keepAlive"
  | "keepAliveInitialDelay"
> {
  /** How long connecting may take, including the look-up of the name. A number is milliseconds. Default: 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
}

/**
 * Node's options for a TLS connection, including client certificates. Node verifies the server's certificate, and sends
 * the name of the server (SNI). Default of `servername`: `host`, if that is a name and not an IP address.
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsOptions extends Tls.ConnectionOptions {
  /** How long connecting may take, including the handshake. A number is milliseconds. Default: 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
}

/**
 * The path of the unix socket, or the name of the Windows pipe, to connect to.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnixOptions {
  /** At most 107 bytes on Linux and Android, and 103 bytes elsewhere. */
  readonly path: string
  /** How long connecting may take. A number is milliseconds. Default: 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
}

// --- constructors ---

/**
 * Makes a transport of a connected Duplex of bytes. From now on the transport owns the Duplex: do not read from it or
 * write to it elsewhere. The Duplex is destroyed when the scope closes; run `end` first to deliver all bytes. The
 * transport turns on its `allowHalfOpen`, does not change a socket's `noDelay`, and removes its listeners when the
 * Duplex closes. A Duplex carries one transport: a second one over it, or a value that is not a Duplex, is a defect
 * (`InvalidOptions`).
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Session } from "effect-muxado"
 * import { NodeTransport } from "effect-muxado/node"
 * import type { Duplex } from "node:stream"
 *
 * const ping = (connection: Duplex) =>
 *   Effect.gen(function* () {
 *     const transport = yield* NodeTransport.fromDuplex(connection)
 *     const session = yield* Session.fromTransport(transport, { role: "client" })
 *     return yield* session.ping
 *   }).pipe(Effect.scoped)
 * ```
 */
export const fromDuplex = (duplex: Duplex): Effect.Effect<TransportService, never, Scope.Scope> =>
  internal.fromDuplex(duplex)

/**
 * Connects with TCP and `noDelay`. Fails with TransportFailed `"Open"`; a retry is always safe. Wrong options fail in
 * the same way, before it connects. An interruption destroys the socket.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { NodeTransport } from "effect-muxado/node"
 *
 * const program = Effect.gen(function* () {
 *   const transport = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port: 7000, connectTimeout: "3 seconds" })
 *   yield* transport.write([new TextEncoder().encode("hello")])
 * }).pipe(Effect.scoped)
 * ```
 */
export const makeTcp = (options: TcpOptions): Effect.Effect<TransportService, TransportFailed, Scope.Scope> =>
  Effect.suspend(() => {
    const { connectTimeout, ...tcp } = orNone(options)
    return connect({
      problems: tcpProblems(options),
      endpoint: tcpEndpoint(String(tcp.host ?? "localhost"), typeof tcp.port === "number" ? tcp.port : 0),
      start: () =>
        Net.connect({
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_DELAY,
          ...tcp,
          noDelay: true,
          allowHalfOpen: true
        }),
      ready: "connect",
      timeout: connectTimeout
    })
  })

/**
 * Connects with TLS and `noDelay`, and completes after the handshake. Fails with TransportFailed `"Open"`; a retry is
 * always safe. Wrong options fail in the same way, before it connects. An interruption destroys the socket. With TLS
 * 1.3, a server rejects a client's certificate only after the client's handshake. Then the first read fails.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { NodeTransport } from "effect-muxado/node"
 *
 * const connecting = NodeTransport.makeTls({ host: "mux.example.com", port: 7443 })
 * ```
 */
export const makeTls = (options: TlsOptions): Effect.Effect<TransportService, TransportFailed, Scope.Scope> =>
  Effect.suspend(() => {
    const { connectTimeout, ...tls } = orNone(options)
    const { host = "localhost", path, port, socket } = tls
    return connect({
      problems: tlsProblems(options),
      endpoint:
        socket !== undefined
          ? undefined
          : path !== undefined
            ? unixEndpoint(String(path))
            : tcpEndpoint(String(host), Number(port)),
      start: () => {
        const named = tls.servername === undefined && tls.host !== undefined && Net.isIP(tls.host) === 0
        // Node takes it, although its types leave it to the socket's own options.
        const halfOpen = { allowHalfOpen: true }
        const socket = Tls.connect({ ...tls, ...(named ? { servername: tls.host } : {}), ...halfOpen })
        socket.setNoDelay(true)
        socket.setKeepAlive(true, KEEP_ALIVE_DELAY)
        return socket
      },
      ready: "secureConnect",
      timeout: connectTimeout
    })
  })

/**
 * Connects to a unix socket. Fails with TransportFailed `"Open"`; a retry is always safe. Wrong options fail in the
 * same way, before it connects. So does a path that is too long for the system, which Node would cut without an error.
 * An interruption destroys the socket.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { NodeTransport } from "effect-muxado/node"
 *
 * const connecting = NodeTransport.makeUnix({ path: "/run/my-service/mux.sock" })
 * ```
 */
export const makeUnix = (options: UnixOptions): Effect.Effect<TransportService, TransportFailed, Scope.Scope> =>
  Effect.suspend(() => {
    const { connectTimeout, path } = orNone(options)
    return connect({
      problems: unixProblems(options),
      endpoint: unixEndpoint(String(path)),
      peer: { _tag: "Unix", path },
      start: () => Net.connect({ path, allowHalfOpen: true }),
      ready: "connect",
      timeout: connectTimeout
    })
  })

/** A copy, so that options that are not an object reach their check and do not throw here. */
const orNone = <A extends object>(options: A): A => ({ ...options })

// --- layers ---

/**
 * The transport of one TCP connection, which the layer opens and closes.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { Session } from "effect-muxado"
 * import { NodeTransport } from "effect-muxado/node"
 *
 * const SessionLive = Session.layerClient().pipe(
 *   Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port: 7000 }))
 * )
 * ```
 */
export const layerTcp = (options: TcpOptions): Layer.Layer<Transport, TransportFailed> =>
  Layer.scoped(Transport, makeTcp(options))

/**
 * The transport of one TLS connection, which the layer opens and closes.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeTransport } from "effect-muxado/node"
 *
 * const TransportLive = NodeTransport.layerTls({ host: "mux.example.com", port: 7443 })
 * ```
 */
export const layerTls = (options: TlsOptions): Layer.Layer<Transport, TransportFailed> =>
  Layer.scoped(Transport, makeTls(options))

/**
 * The transport of one connection to a unix socket, which the layer opens and closes.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeTransport } from "effect-muxado/node"
 *
 * const TransportLive = NodeTransport.layerUnix({ path: "/run/my-service/mux.sock" })
 * ```
 */
export const layerUnix = (options: UnixOptions): Layer.Layer<Transport, TransportFailed> =>
  Layer.scoped(Transport, makeUnix(options))
