/**
 * The errors of the system, in words. Node's own text is often only a code, or the text of an OpenSSL function.
 *
 * @since 0.1.0
 */
import { listenReason } from "../../internal/server/listenReason.js"
import { ServerFailed } from "../../MuxadoError.js"

const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is already in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EAFNOSUPPORT: "this machine does not support that kind of address",
  EAGAIN: "the server's queue of waiting connections is full",
  EAI_AGAIN: "the host name cannot be looked up now",
  ECONNREFUSED: "nothing listens on that address",
  ECONNRESET: "the peer cut the connection",
  EHOSTUNREACH: "there is no route to the host",
  EMFILE: "the process has no file descriptor left",
  ENETUNREACH: "there is no route to the network",
  ENFILE: "the system has no file descriptor left",
  ENOENT: "the path does not exist",
  ENOTDIR: "a part of the path is not a folder",
  ENOTFOUND: "the host name is unknown",
  ENOTSOCK: "the file is not a socket",
  EPERM: "permission denied",
  EPROTOTYPE: "the socket at that path is not a stream socket",
  EROFS: "the file system is read-only",
  ETIMEDOUT: "the peer did not answer in time",
  CERT_HAS_EXPIRED: "the certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is self-signed",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another host",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate's authority is not trusted",
  UNABLE_TO_GET_ISSUER_CERT: "the certificate's authority is unknown",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate's authority is unknown",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the certificate's authority is unknown"
}

/**
 * A file exists at the path of a unix socket. The message says what kind of file, and what to do.
 *
 * @since 0.1.0
 * @category errors
 */
export class PathInUse extends Error {
  readonly code = "EADDRINUSE"
}

/**
 * What an error means, with its code in brackets: `the address is already in use (EADDRINUSE)`.
 *
 * @since 0.1.0
 * @category utilities
 */
export const meaningOf = (cause: unknown): string => {
  if (cause instanceof PathInUse) return `${cause.message} (${cause.code})`
  const code = codeOf(cause)
  const meaning = code === undefined ? undefined : MEANINGS[code]
  if (meaning !== undefined) return `${meaning} (${code})`
  if (!(cause instanceof Error)) return String(cause)
  // The text of OpenSSL without its file names and line numbers.
  const text = "reason" in cause && typeof cause.reason === "string" ? cause.reason : cause.message.trim()
  return code === undefined || text.includes(code) ? text : `${text} (${code})`
}

/**
 * The same as an error, for a connection that could not be opened. It adds Node's own text, which has the address that
 * was tried, and keeps the code.
 *
 * @since 0.1.0
 * @category errors
 */
export const explained = (cause: unknown): unknown => {
  const code = codeOf(cause)
  if (!(cause instanceof Error) || code === undefined) return cause
  const meaning = MEANINGS[code]
  if (meaning === undefined) {
    return "reason" in cause ? withCode(new Error(meaningOf(cause), { cause }), code) : cause
  }
  return withCode(new Error(`${meaning} (${cause.message})`, { cause }), code)
}

/**
 * The error of a listener that could not start. The message has the address and the reason.
 *
 * @since 0.1.0
 * @category errors
 */
export const listenFailed = (endpoint: string, cause: unknown): ServerFailed => {
  const detail = `cannot listen on ${endpoint}: ${meaningOf(cause)}`
  return new ServerFailed({ reason: listenReason(cause), detail, cause })
}

const withCode = (error: Error, code: string): Error => Object.assign(error, { code })

const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined
