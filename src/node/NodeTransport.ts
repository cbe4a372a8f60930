/**
 * Transports over Node's sockets: TCP, TLS, unix sockets, and any other Duplex.
 *
 * They keep the whole contract of `TransportService`. While nothing reads, the source is paused, with at most its
 * `highWaterMark` and one chunk buffered. A batch of chunks is one `writev`. Errors say `initiator: "Remote"` for what
 * the peer or the network did, `"Local"` for what this side did; `processed` is `"no"` only while opening.
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
 * Where to connect to with TCP, and how. `host` is `"localhost"` unless given. `keepAlive: false` turns the kernel's probes
 * off; otherwise they begin after `keepAliveInitialDelay`, 30,000 milliseconds unless given.
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
  /** How long connecting may take, the look-up of the name included. Default 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
}

/**
 * Node's own options for a TLS connection, client certificates included. The server's certificate is verified, and its
 * name is sent (SNI), as Node does for HTTPS: `servername` is `host` unless given.
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsOptions extends Tls.ConnectionOptions {
  /** How long connecting may take, the handshake included. Default 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
}

/**
 * The path of the unix socket, or the name of the Windows pipe, to connect to.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnixOptions {
  /** At most 107 bytes on Linux and 103 elsewhere. */
  readonly path: string
  /** How long connecting may take. Default 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
}

// --- constructors ---

/**
 * Adapts any Duplex of bytes, connected already, which from now on belongs to the transport: it must not be read from
 * or written to elsewhere, and is destroyed when the scope closes (`end` first, to have everything delivered). Its
 * `allowHalfOpen` is turned on; a socket's `noDelay` is left as it is. Of its listeners, none is left once it is closed.
 * One Duplex is one transport: a second one over it, or a value that is no Duplex, is a defect (`InvalidOptions`).
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
 * Connects with TCP, without Nagle's delay. Fails with TransportFailed `"Open"`, which is always safe to retry; wrong
 * options fail so too, before anything is connected. An interruption destroys the socket.
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
 * Connects with TLS, without Nagle's delay; complete once the handshake is. Fails with TransportFailed `"Open"`, which
 * is always safe to retry; wrong options fail so too, before anything is connected. An interruption destroys the socket.
 * With TLS 1.3, a server that rejects the client's certificate does so after the client's handshake: the first read
 * fails then.
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
 * Connects to a unix socket. Fails with TransportFailed `"Open"`, which is always safe to retry; wrong options fail so
 * too, and so does a path that is too long for the system, which Node would cut. An interruption destroys the socket.
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

/** So that options that are no object at all get as far as their check. */
const orNone = <A extends object>(options: A): A => ({ ...options })

// --- layers ---

/**
 * The transport of one TCP connection, open for as long as the layer is.
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
 * The transport of one TLS connection, open for as long as the layer is.
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
 * The transport of one connection to a unix socket, open for as long as the layer is.
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
