/**
 * Where a server listens.
 *
 * @since 0.1.0
 */
import type * as Tls from "node:tls"

/**
 * Where to listen. Port 0 picks a free one; no `host` means every address. TLS takes Node's own options: `requestCert`
 * and `ca` for client certificates, and `handshakeTimeout`, which is 10 000 milliseconds unless given.
 *
 * @since 0.1.0
 * @category models
 */
export type ListenOptions =
  | { readonly _tag: "Tcp"; readonly host?: string | undefined; readonly port: number }
  | { readonly _tag: "Tls"; readonly options: TlsListenOptions }
  | ({ readonly _tag: "Unix" } & SocketFileOptions)

/**
 * Where to listen, and Node's own TLS options: `requestCert` and `ca` for client certificates, and `handshakeTimeout`
 * in milliseconds, 10,000 unless given.
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsListenOptions extends Tls.TlsOptions {
  /** The address to listen on. Default: every address. */
  readonly host?: string | undefined
  /** 0 picks a free one. */
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
