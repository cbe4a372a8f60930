/**
 * The error codes of RST and GOAWAY.
 *
 * Wire: `docs/PROTOCOL.md`, section 2.7.
 *
 * @since 0.1.0
 */

/**
 * The codes that every muxado implementation knows, by name. On the wire a code is any uint32. A code that is not in
 * this table is passed on unchanged.
 *
 * @since 0.1.0
 * @category constants
 */
export const ErrorCode = {
  NoError: 0,
  ProtocolError: 1,
  InternalError: 2,
  FlowControlError: 3,
  StreamClosed: 4,
  StreamRefused: 5,
  StreamCancelled: 6,
  StreamReset: 7,
  FrameSizeError: 8,
  AcceptQueueFull: 9,
  EnhanceYourCalm: 10,
  RemoteGoneAway: 11,
  StreamsExhausted: 12,
  WriteTimeout: 13,
  SessionClosed: 14,
  PeerEOF: 15
} as const

/**
 * An error code in its wire form: an unsigned 32-bit integer.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorCode = number

const names: ReadonlyMap<number, string> = new Map(Object.entries(ErrorCode).map(([name, code]) => [code, name]))

/**
 * The name of a code, or its hexadecimal form if it has none.
 *
 * @since 0.1.0
 * @category rendering
 */
export const errorCodeName = (code: ErrorCode): string => names.get(code) ?? `0x${code.toString(16)}`

/**
 * Formats a code with its name and its number: `InternalError (2)`, `0x63 (99)`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const showErrorCode = (code: ErrorCode): string => `${errorCodeName(code)} (${code})`
