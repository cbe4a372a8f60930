/** The interface of a transport, and what it knows of its peer. */
import type * as Effect from "effect/Effect"
import type { TransportFailed } from "../../MuxadoError.js"

/**
 * The TLS information about the peer. `authorized` is true if the peer sent a certificate and this side verified it.
 * Otherwise `authorizationError` has the reason. `certificate` is the certificate that the peer sent. A client sends
 * one only if the server requests it (`requestCert`). Do not trust a certificate unless `authorized` is true.
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
 * The fields of a certificate that identify the peer. `raw` is its DER form.
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
 * - `read` returns the next chunk (at least 1 byte). It fails with `TransportFailed`: `"Ended"` after the peer's
 *   orderly end, otherwise `"Read"`. After a failure, every later call fails too. Only one fiber reads. Interrupting
 *   `read` loses no bytes. While no fiber reads, the source is paused. An adapter that cannot pause documents this.
 * - `write` writes the chunks in order, in one write of the medium (writev, or one WebSocket message). It completes
 *   when the medium is ready for more. Only one fiber writes. After the transport has ended, `write` fails; it must not
 *   hang. If a chunk is not a `Uint8Array`, that write fails with a `TypeError` as its cause, and none of its bytes are
 *   sent.
 * - `end` ends the outbound direction. The bytes written before are still delivered. Reading stays possible if the
 *   medium supports half-close. It may take any time. It never fails.
 * - `destroy` closes the medium at once, without waiting. Pending reads and writes fail. Closing the scope in which the
 *   transport was made does the same. `end` and `destroy` are idempotent.
 *
 * A chunk passed to `write` is a view: it may cover only a part of its ArrayBuffer, and share that buffer with other
 * chunks of the batch. The memory belongs to the application. Copy a chunk before you transfer it or keep it after the
 * write. The bytes do not change until `write` completes. A chunk that `read` returns belongs to the reader. It may
 * also be a view of a larger buffer.
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
  /** Reading and writing without waking a fiber. `withFastPath` makes it. A copy of the transport does not have it. */
  readonly fastPath?: FastPath | undefined
}

/**
 * Reads and writes without waking a fiber, for a medium with callbacks. To wake a fiber for each chunk, and another
 * for each answer, costs more than a small message itself. It keeps every guarantee of `read` and `write`:
 *
 * - `each` calls `take` with each chunk, in order, in the step in which the chunk arrives. It begins with all
 *   bytes that have arrived already. When the medium ends or fails, `each` first delivers every received byte, and then
 *   fails as `read` does. Every later call fails too.
 * - `take` returns `false` to ask for a pause. Then `each` delivers no more chunks and completes. The next `read` or
 *   `each` delivers the rest. A chunk that is delivered after the `false` is kept in memory. While `take` returns
 *   `true`, `each` does not complete.
 * - Interrupting `each` loses no bytes, as with `read`. After the interruption `each` does not call `take`.
 * - `take` never throws, and may be called at any time except during `tryWrite`. A chunk belongs to the session, as with
 *   `read`.
 * - `each` yields to the event loop after at most 1 MiB.
 * - `tryWrite` writes all chunks at once, in order, and returns `true`. Or it writes nothing and returns `false`, and the
 *   session calls `write`. It returns `false` if the medium is not ready for more. The session never calls it during a
 *   `write`, and passes at most about 8 KiB. As with `write`, copy a chunk before you keep it.
 * - If `each` or `tryWrite` throws, dies or returns another value, the session ends with `TransportFailed`.
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
   * Calls `take` with each received chunk until `take` returns `false`. Fails with `TransportFailed` after the last
   * chunk, as `read` does.
   */
  readonly each: (take: (chunk: Uint8Array) => boolean) => Effect.Effect<void, TransportFailed>
  /** Writes all chunks now and returns `true`, or writes nothing and returns `false`. */
  readonly tryWrite: (chunks: ReadonlyArray<Uint8Array>) => boolean
}
