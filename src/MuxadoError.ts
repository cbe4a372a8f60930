/**
 * The errors of a session and of its streams.
 *
 * Each error says which side caused it (`initiator`) and whether the peer may have acted on the failed call
 * (`processed`). `retry` says whether a call can be repeated safely, and whether that needs a new session.
 *
 * @module
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { MessageInvalid } from "./internal/errors/messageInvalid.js"
import { hintFor, said } from "./internal/support/errorText.js"
import type { Initiator, Processed } from "./protocol/endReason.js"
import type { ErrorCode } from "./protocol/wire/errorCode.js"
import { showErrorCode } from "./protocol/wire/errorCode.js"

export { MessageInvalid } from "./internal/errors/messageInvalid.js"
export type { Initiator, Processed } from "./protocol/endReason.js"

/** What every error says of its cause. */
interface Caused {
  /** Which side caused it. */
  readonly initiator: Initiator
  /** Whether the peer may have acted on the call that failed. */
  readonly processed: Processed
}

/**
 * One side broke the wire protocol, and the session ended. `initiator` is the side that detected the fault and sent the
 * GOAWAY. `"Local"`: the peer broke a rule or exceeded a budget. `"Remote"`: the peer reports that this side broke a
 * rule.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProtocolViolation extends Data.TaggedError("ProtocolViolation")<
  Caused & {
    /** The code of the GOAWAY. */
    readonly code: ErrorCode
    /** Which rule was broken, in words of the side that found it. */
    readonly detail: string
  }
> {
  override get message(): string {
    return this.initiator === "Local"
      ? `The peer broke the protocol (${showErrorCode(this.code)})${said(this.detail)}`
      : `The peer says that this side broke the protocol (${showErrorCode(this.code)})${said(this.detail)}`
  }
}

/**
 * One stream was reset; the session goes on. `code` is any uint32. After a reset by the peer, the bytes that
 * arrived before it can still be read. A `reset` by this side drops them.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamReset extends Data.TaggedError("StreamReset")<
  Caused & {
    /** The id of the stream. */
    readonly streamId: number
    /** The code of the RST: any uint32. */
    readonly code: ErrorCode
  }
> {
  override get message(): string {
    const who = this.initiator === "Local" ? "this side" : "the peer"
    return `Stream ${this.streamId} was reset by ${who}: ${showErrorCode(this.code)}${hintFor(this.code)}`
  }
}

/**
 * The peer sent nothing, or accepted no bytes, for longer than the session allows. The session ended. `silentFor` is in
 * milliseconds, `since` in milliseconds of the session's clock.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionDead extends Data.TaggedError("SessionDead")<
  Caused & {
    /** What the peer did not do: answer a heartbeat, take a write, or finish a frame. */
    readonly reason: "Heartbeat" | "WriteStalled" | "PartialFrame"
    /** For how long, in milliseconds. */
    readonly silentFor: number
    /** Since when, in milliseconds of the session's clock. */
    readonly since: number
    /** The peer has not answered any heartbeat of this session. It may not support heartbeats. */
    readonly neverAnswered?: boolean | undefined
  }
> {
  override get message(): string {
    const what = {
      Heartbeat: "heartbeats went unanswered",
      WriteStalled: "a write made no progress",
      PartialFrame: "a frame was left unfinished"
    }[this.reason]
    const hint =
      this.neverAnswered === true ? " (the peer has answered none: is its session typed, as this one is?)" : ""
    return `The session is dead: ${what} for ${Math.round(this.silentFor)} ms${hint}`
  }
}

/**
 * The peer sent GOAWAY. It accepts no more streams, and has not processed our streams above `lastStreamId`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RemoteGoneAway extends Data.TaggedError("RemoteGoneAway")<
  Caused & {
    /** The highest stream of this side that the peer may have processed; 0 for none. */
    readonly lastStreamId: number
    /** The code of the GOAWAY: any uint32. */
    readonly code: ErrorCode
    /** The text of the GOAWAY; empty if it has none. */
    readonly debug: string
  }
> {
  override get message(): string {
    return `The peer is going away (${showErrorCode(this.code)}, last stream ${this.lastStreamId})${said(this.debug)}`
  }
}

/**
 * The transport failed, or ended without GOAWAY (`reason: "Ended"`); the session is over.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportFailed extends Data.TaggedError("TransportFailed")<
  Caused & {
    /** While opening, reading or writing; or the peer's orderly end. */
    readonly reason: "Open" | "Read" | "Write" | "Ended"
    /** What the medium said: mostly an `Error` of the system. */
    readonly cause?: unknown
    /** The address of the peer, if it is known: `127.0.0.1:7000`, `unix:/path`, `ws://host`. */
    readonly endpoint?: string | undefined
  }
> {
  override get message(): string {
    const what = {
      Open: "could not be opened",
      Read: "failed while reading",
      Write: "failed while writing",
      Ended: "ended without a GOAWAY"
    }[this.reason]
    const cause = this.cause instanceof Error ? `: ${this.cause.message}` : ""
    return `The transport${this.endpoint === undefined ? "" : ` to ${this.endpoint}`} ${what}${cause}`
  }
}

/**
 * This side closed the session, or is draining it and opens no more streams. `code` and `debug` are the reason that
 * this side sent with `goAway` or `closeWith`. They are `undefined` if it sent no reason.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionClosed extends Data.TaggedError("SessionClosed")<
  Caused & {
    /** The code of the GOAWAY, any uint32; `undefined` if the program gave none. */
    readonly code?: ErrorCode | undefined
    /** The text of the GOAWAY. */
    readonly debug?: string | undefined
  }
> {
  override get message(): string {
    const code = this.code === undefined ? "" : ` (${showErrorCode(this.code)})`
    return `The session was closed by this side${code}${said(this.debug ?? "")}`
  }
}

/**
 * The program used a stream after it ended that direction: it wrote after `finish`, or read after `stopReading` or
 * `close`.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamClosed extends Data.TaggedError("StreamClosed")<
  Caused & {
    /** The id of the stream. */
    readonly streamId: number
    /** What was called. */
    readonly operation: "read" | "write"
  }
> {
  override get message(): string {
    return `Stream ${this.streamId} is closed for ${this.operation === "read" ? "reading" : "writing"}`
  }
}

/**
 * The peer sent more than `maxBytes` to `readAll`. This side has reset the stream with StreamCancelled.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReadLimitExceeded extends Data.TaggedError("ReadLimitExceeded")<{
  /** The id of the stream. */
  readonly streamId: number
  /** The limit of the call, in bytes. */
  readonly maxBytes: number
}> {
  /** This side: the limit is its own. */
  readonly initiator: Initiator = "Local"
  /** `"maybe"`: the peer has sent an answer. */
  readonly processed: Processed = "maybe"

  override get message(): string {
    return `Stream ${this.streamId} brought more than ${this.maxBytes} bytes, which is the maxBytes of readAll`
  }
}

/**
 * This side has used all its stream ids (the last is at most 2^31-1). Make a new session.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamsExhausted extends Data.TaggedError("StreamsExhausted")<Caused> {
  override get message(): string {
    return "The session has no stream ids left"
  }
}

/**
 * An option or an argument is invalid. The operation did nothing. `detail` has one line for each thing that is wrong.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  /** What is wrong, a line for each option. */
  readonly detail: string
  /** What else is known of the reason. */
  readonly cause?: unknown
}> {
  /** This side: its program made the call. */
  readonly initiator: Initiator = "Local"
  /** `"no"`: nothing was done. */
  readonly processed: Processed = "no"

  override get message(): string {
    const lines = this.detail.split("\n")
    return lines.length === 1 ? `Invalid options: ${this.detail}` : ["Invalid options:", ...lines].join("\n  ")
  }
}

/**
 * A server cannot listen or run. `detail` says where and why, `cause` is the error of the system, with its `code`.
 *
 * - `"AddressInUse"`: something else listens there, or a file has the path of the unix socket.
 * - `"PermissionDenied"`: this process may not listen there.
 * - `"NoSuchAddress"`: this machine does not have the host or the address, or the file system not the folder.
 * - `"Listen"`: it cannot listen for another reason: a wrong certificate, no file descriptor left.
 * - `"RunBefore"`: `run` was called before. A server runs once.
 * - `"Stopped"`: the scope of the server has closed, or its listener has failed or ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServerFailed extends Data.TaggedError("ServerFailed")<{
  /** Why the server cannot listen or run. */
  readonly reason: "AddressInUse" | "PermissionDenied" | "NoSuchAddress" | "Listen" | "RunBefore" | "Stopped"
  /** Where the server should listen or run, and why it cannot. */
  readonly detail: string
  /** The error of the system, if there is one. */
  readonly cause?: unknown
}> {
  /** `"Local"`: the failure is on this machine. */
  readonly initiator: Initiator = "Local"
  /** `"no"`: the server has accepted no connection for this call. */
  readonly processed: Processed = "no"

  override get message(): string {
    return this.detail
  }
}

/**
 * The reason why a session ended, or why it accepts no more calls.
 *
 * @since 0.1.0
 * @category errors
 */
export type SessionError = ProtocolViolation | SessionDead | RemoteGoneAway | TransportFailed | SessionClosed

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
  "StreamClosed",
  "StreamReset",
  "StreamsExhausted",
  "TransportFailed"
])

/**
 * Says whether, and on which session, a call that failed with `error` can be repeated safely.
 *
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
