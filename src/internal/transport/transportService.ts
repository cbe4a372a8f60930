/** The interface of a transport, and what it knows of its peer. */
import type * as Effect from "effect/Effect"
import type { TransportFailed } from "../../MuxadoError.js"

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
  /**
   * Calls `take` with each received chunk until `take` returns `false`. Fails with `TransportFailed` after the last chunk, as
   * `read` does.
   */
  readonly each: (take: (chunk: Uint8Array) => boolean) => Effect.Effect<void, TransportFailed>
  /** Writes all chunks now and returns `true`, or writes nothing and returns `false`. */
  readonly tryWrite: (chunks: ReadonlyArray<Uint8Array>) => boolean
}
