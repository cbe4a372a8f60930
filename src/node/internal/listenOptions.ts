/**
 * Where a server listens.
 *
 * @since 0.1.0
 */
import type * as Net from "node:net"
import type * as Tls from "node:tls"

/**
 * The address to listen on, with Node's options for TLS. Port 0 picks a free one. No `host` means every address.
 *
 * @since 0.1.0
 * @category models
 */
export type ListenOptions =
  | { readonly _tag: "Tcp"; readonly where: TcpListenOptions | ListeningSocket }
  | { readonly _tag: "Tls"; readonly options: TlsListenOptions | (Tls.TlsOptions & ListeningSocket) }
  | ({ readonly _tag: "Unix" } & SocketFileOptions)

/**
 * The address to listen on.
 *
 * @since 0.1.0
 * @category models
 */
export interface TcpListenOptions {
  /** A name or an address. Default: every address of the machine, IPv4 and IPv6. */
  readonly host?: string | undefined
  /** 0 to 65,535. With 0 the system picks a free port, which the server's `address` shows. */
  readonly port: number
  /**
   * Several servers may listen on the address if each sets this, also in different processes. The system distributes the
   * connections. Needs Node 22.12, 23.1 or later, and Linux or another system that distributes them. Default false.
   */
  readonly reusePort?: boolean | undefined
}

/**
 * A socket that listens already. The server takes it over: `address` shows where it listens, and the server that had it
 * before gets no more connections. When the server stops, it closes the socket. If another process has the socket too,
 * that process still gets the connections.
 *
 * @since 0.1.0
 * @category models
 */
export interface ListeningSocket {
  /**
   * A server that listens on TCP, such as one that another process has sent (`child.send(message, server)`), or the
   * number of an inherited file descriptor, such as `{ fd: 3 }` from systemd.
   */
  readonly listening:
    | Net.Server
    | {
        /** The number of the descriptor. */
        readonly fd: number
      }
}

/**
 * The address to listen on, and Node's TLS options: `requestCert` and `ca` ask for client certificates, and
 * `handshakeTimeout` is in milliseconds (default 10,000).
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsListenOptions extends Tls.TlsOptions, TcpListenOptions {}

/**
 * The file of a unix socket: its path, its permissions, and whether a file that no server uses is replaced.
 *
 * @since 0.1.0
 * @category models
 */
export interface SocketFileOptions {
  readonly path: string
  readonly mode?: number | undefined
  readonly replaceStale?: boolean | undefined
}
