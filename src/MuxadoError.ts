/**
 * The errors of a session and of its streams.
 *
 * Each error says which side caused it (`initiator`) and whether the peer may have acted on the failed call
 * (`processed`). `retry` says whether a call can be repeated safely, and whether that needs a new session. Their tags
 * have no prefix: no tag of Effect's own packages is equal to one of them (docs/architecture.md, Decisions).
 *
 * @module
 * @since 0.1.0
 */
import type { MessageInvalid } from "./internal/errors/messageInvalid.js"
import type {
  ProtocolViolation,
  RemoteGoneAway,
  SessionClosed,
  SessionDead,
  SessionUnavailable,
  StreamsExhausted,
  TransportFailed
} from "./internal/errors/sessionErrors.js"
import type { ReadLimitExceeded, StreamClosed, StreamReset } from "./internal/errors/streamErrors.js"
import type { InvalidOptions, ServerFailed } from "./internal/errors/programErrors.js"

export { MessageInvalid } from "./internal/errors/messageInvalid.js"
export type { Initiator, Processed } from "./protocol/endReason.js"

export { InvalidOptions, ServerFailed } from "./internal/errors/programErrors.js"

export {
  ProtocolViolation,
  RemoteGoneAway,
  SessionClosed,
  SessionDead,
  SessionUnavailable,
  StreamsExhausted,
  TransportFailed
} from "./internal/errors/sessionErrors.js"

export { ReadLimitExceeded, StreamClosed, StreamReset } from "./internal/errors/streamErrors.js"

export type { SessionFailure } from "./internal/errors/sessionErrors.js"

/**
 * The reason why a session ended, or why it accepts no more calls. Only a managed session fails with
 * `SessionUnavailable`.
 *
 * @since 0.1.0
 * @category errors
 */
export type SessionError =
  ProtocolViolation | SessionDead | RemoteGoneAway | TransportFailed | SessionClosed | SessionUnavailable

/**
 * Why an operation on a stream failed. Only `readAll` fails with `ReadLimitExceeded`, wrong arguments with `InvalidOptions`.
 *
 * @since 0.1.0
 * @category errors
 */
export type StreamError = SessionError | StreamReset | StreamClosed | ReadLimitExceeded | InvalidOptions

/**
 * Why a stream could not be opened.
 *
 * @since 0.1.0
 * @category errors
 */
export type OpenError = SessionError | StreamsExhausted | InvalidOptions

/**
 * Every error of this module.
 *
 * @since 0.1.0
 * @category errors
 */
export type MuxadoError = StreamError | OpenError | MessageInvalid | ServerFailed

/**
 * Whether a value is an error of this library. Returns true for errors of another copy of the library too.
 *
 * @since 0.1.0
 * @category guards
 */
export const isMuxadoError = (value: unknown): value is MuxadoError => {
  try {
    return (
      typeof value === "object" &&
      value !== null &&
      "_tag" in value &&
      typeof value._tag === "string" &&
      TAGS.has(value._tag) &&
      "processed" in value &&
      (value.processed === "no" || value.processed === "maybe") &&
      "initiator" in value &&
      (value.initiator === "Local" || value.initiator === "Remote")
    )
  } catch {
    // a Proxy whose traps throw is no error of this library
    return false
  }
}

const TAGS: ReadonlySet<string> = new Set<MuxadoError["_tag"]>([
  "InvalidOptions",
  "MessageInvalid",
  "ProtocolViolation",
  "ReadLimitExceeded",
  "RemoteGoneAway",
  "ServerFailed",
  "SessionClosed",
  "SessionDead",
  "SessionUnavailable",
  "StreamClosed",
  "StreamReset",
  "StreamsExhausted",
  "TransportFailed"
])

/**
 * Says whether, and on which session, a call that failed with `error` can be repeated safely.
 *
 * - `"SameSession"`: the peer had no free capacity, refused the stream, and did nothing; or a managed session had no
 *   live session. Use a backoff schedule. A peer without free capacity treats immediate, endless retries as an attack.
 * - `"SameSession"`: the peer refused the stream, and did nothing. Use a backoff schedule: a peer without free capacity
 *   treats immediate, endless retries as an attack.
 * - `"NewSession"`: the peer did nothing, and this session cannot open more streams, or has no stream ids left.
 * - `"Never"`: the peer may have acted on the call (`processed: "maybe"`), the call is wrong, this side itself has
 *   reset the stream, or the value is not an error of this library.
 *
 * @example
 * ```ts
 * import { Effect, Schedule } from "effect"
 * import { MuxadoError, MuxStream, type Session } from "effect-muxado"
 *
 * const call = (session: Session.SessionService) =>
 *   session.withStream((stream) =>
 *     Effect.zipRight(MuxStream.write(stream, "hello"), Effect.zipRight(MuxStream.finish(stream), MuxStream.readAll(stream)))
 *   ).pipe(
 *     Effect.retry({
 *       while: (error) => MuxadoError.retry(error) === "SameSession",
 *       schedule: Schedule.exponential("10 millis").pipe(Schedule.compose(Schedule.recurs(5)))
 *     })
 *   )
 * ```
 *
 * @since 0.1.0
 * @category retrying
 */
export const retry = (error: unknown): "SameSession" | "NewSession" | "Never" => {
  if (!isMuxadoError(error) || error.processed !== "no") return "Never"
  switch (error._tag) {
    case "StreamReset":
      return error.initiator === "Remote" ? "SameSession" : "Never"
    case "SessionUnavailable":
      return error.reason === "GaveUp" ? "NewSession" : "SameSession"
    case "InvalidOptions":
    case "MessageInvalid":
    case "ReadLimitExceeded":
    case "ServerFailed":
    case "StreamClosed":
      return "Never"
    case "ProtocolViolation":
    case "RemoteGoneAway":
    case "SessionClosed":
    case "SessionDead":
    case "StreamsExhausted":
    case "TransportFailed":
      return "NewSession"
  }
}
