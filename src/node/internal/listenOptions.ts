/**
 * Where a server listens.
 *
 * @since 0.1.0
 */
import type * as Tls from "node:tls"

/**
 * The address to listen on, with Node's options for TLS. Port 0 picks a free one. No `host` means every address.
 *
 * @since 0.1.0
 * @category models
 */
export type ListenOptions =
  | { readonly _tag: "Tcp"; readonly host?: string | undefined; readonly port: number }
  | { readonly _tag: "Tls"; readonly options: TlsListenOptions }
  | ({ readonly _tag: "Unix" } & SocketFileOptions)

/**
 * The address to listen on, and Node's TLS options: `requestCert` and `ca` ask for client certificates, and
 * `handshakeTimeout` is in milliseconds (default 10,000).
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsListenOptions extends Tls.TlsOptions {
  /** A name or an address. Default: every address of the machine. */
  readonly host?: string | undefined
  /** 0 to 65,535. With 0 the system picks a free port. */
  readonly port: number
}

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
