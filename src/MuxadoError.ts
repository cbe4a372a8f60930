/**
 * The errors of a session and of its streams.
 *
 * Each says who caused it (`initiator`) and whether the peer may have acted on what failed (`processed`), so that
 * `Effect.retry({ while: (e) => e.processed === "no" })` never repeats something the peer has already done.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { ErrorCode } from "./protocol/errorCode.js"
import { errorCodeName } from "./protocol/errorCode.js"

/**
 * Which side of the session caused something.
 *
 * @since 0.1.0
 * @category models
 */
export type Initiator = "Local" | "Remote"

/**
 * Whether the peer may have acted on what failed: `"no"` is a promise, `"maybe"` is not.
 *
 * @since 0.1.0
 * @category models
 */
export type Processed = "no" | "maybe"

/**
 * The wire rules were broken: by the peer (`initiator: "Remote"` means that the peer told us so, with its GOAWAY;
 * `"Local"` that this side found it out and sent the GOAWAY). The session is over.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProtocolViolation extends Data.TaggedError("ProtocolViolation")<{
  readonly code: ErrorCode
  readonly detail: string
  readonly initiator: Initiator
  readonly processed: Processed
}> {
  override get message(): string {
    return this.initiator === "Local"
      ? `The peer broke the protocol (${errorCodeName(this.code)}): ${this.detail}`
      : `The peer says that we broke the protocol (${errorCodeName(this.code)}): ${this.detail}`
  }
}

/**
 * One stream was reset; the session goes on. `code` is any uint32. Bytes that had arrived before stay readable.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamReset extends Data.TaggedError("StreamReset")<{
  readonly streamId: number
  readonly code: ErrorCode
  readonly initiator: Initiator
  readonly processed: Processed
}> {
  override get message(): string {
    const who = this.initiator === "Local" ? "this side" : "the peer"
    return `Stream ${this.streamId} was reset by ${who}: ${errorCodeName(this.code)}`
  }
}

/**
 * The peer fell silent, or took no bytes, for longer than the session allows; the session is over. `silentFor` is in
 * milliseconds, `since` in milliseconds of the session's clock.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionDead extends Data.TaggedError("SessionDead")<{
  readonly reason: "Heartbeat" | "WriteStalled" | "PartialFrame"
  readonly silentFor: number
  readonly since: number
  readonly initiator: Initiator
  readonly processed: Processed
}> {
  override get message(): string {
    const what = {
      Heartbeat: "heartbeats went unanswered",
      WriteStalled: "a write made no progress",
      PartialFrame: "a frame was left unfinished"
    }[this.reason]
    return `The session is dead: ${what} for ${Math.round(this.silentFor)} ms`
  }
}

/**
 * The peer sent GOAWAY: it takes no more streams, and processed none of ours above `lastStreamId`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RemoteGoneAway extends Data.TaggedError("RemoteGoneAway")<{
  readonly lastStreamId: number
  readonly code: ErrorCode
  readonly debug: string
  readonly initiator: Initiator
  readonly processed: Processed
}> {
  override get message(): string {
    const debug = this.debug === "" ? "" : `: ${this.debug}`
    return `The peer is going away (${errorCodeName(this.code)}, last stream ${this.lastStreamId})${debug}`
  }
}

/**
 * The transport failed, or ended without GOAWAY (`reason: "Ended"`); the session is over.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportFailed extends Data.TaggedError("TransportFailed")<{
  readonly reason: "Open" | "Read" | "Write" | "Ended"
  readonly cause?: unknown
  readonly endpoint?: string | undefined
  readonly initiator: Initiator
  readonly processed: Processed
}> {
  override get message(): string {
    const what = {
      Open: "could not be opened",
      Read: "failed while reading",
      Write: "failed while writing",
      Ended: "ended without a GOAWAY"
    }[this.reason]
    const cause = this.cause instanceof Error ? `: ${this.cause.message}` : ""
    return `The transport ${what}${cause}`
  }
}

/**
 * This side closed the session, or is draining it and opens no more streams.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionClosed extends Data.TaggedError("SessionClosed")<{
  readonly initiator: Initiator
  readonly processed: Processed
}> {
  override get message(): string {
    return "The session was closed by this side"
  }
}

/**
 * A stream was used after its own end: written to after `finish`, or read after `stopReading` or `close`.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamClosed extends Data.TaggedError("StreamClosed")<{
  readonly streamId: number
  readonly operation: "read" | "write"
  readonly initiator: Initiator
  readonly processed: Processed
}> {
  override get message(): string {
    return `Stream ${this.streamId} is closed for ${this.operation === "read" ? "reading" : "writing"}`
  }
}

/**
 * All stream ids of this side were used (the last is 2^31-1); a new session is needed.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamsExhausted extends Data.TaggedError("StreamsExhausted")<{
  readonly initiator: Initiator
  readonly processed: Processed
}> {
  override get message(): string {
    return "The session has no stream ids left"
  }
}

/**
 * An option or an argument makes no sense; nothing was done. `detail` names what is wrong.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  readonly initiator: Initiator = "Local"
  readonly processed: Processed = "no"

  override get message(): string {
    return `Invalid options: ${this.detail}`
  }
}

/**
 * Why a session ended, or why nothing more can be asked of it.
 *
 * @since 0.1.0
 * @category errors
 */
export type SessionError = ProtocolViolation | SessionDead | RemoteGoneAway | TransportFailed | SessionClosed

/**
 * Why an operation on a stream failed.
 *
 * @since 0.1.0
 * @category errors
 */
export type StreamError = SessionError | StreamReset | StreamClosed

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
export type MuxadoError = StreamError | OpenError
