/** Why a session ended, or takes no calls. */
import * as Data from "effect/Data"
import type { ErrorCode } from "../../protocol/wire/errorCode.js"
import { showErrorCode } from "../../protocol/wire/errorCode.js"
import { said } from "../support/errorText.js"
import type { Initiator, Processed } from "../../protocol/endReason.js"
import type { Caused } from "./caused.js"

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
    // users fail with texts, too
    const said = this.cause instanceof Error ? this.cause.message : typeof this.cause === "string" ? this.cause : ""
    const cause = said === "" ? "" : `: ${said}`
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
 * A managed session had no live session for a call. The call was not sent.
 *
 * - `"Timeout"`: there was none within `openTimeout`.
 * - `"FailFast"`: there is none, an attempt to connect has failed, and `openTimeout` is `"FailFast"`.
 * - `"TooManyWaiting"`: as many calls as `maxWaiting` allows wait already.
 * - `"GaveUp"`: the managed session connects no more: `isFinal` returned true, or its schedule has ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionUnavailable extends Data.TaggedError("SessionUnavailable")<{
  /** Why the call does not wait, or waits no longer. */
  readonly reason: "Timeout" | "FailFast" | "TooManyWaiting" | "GaveUp"
  /** What the managed session does instead: the tag of its status, such as `"Connecting"` or `"Backoff"`. */
  readonly state: string
  /** The number of attempts to connect since the last live session, with the one that runs. */
  readonly attempts: number
  /** How long the call has waited, in milliseconds. */
  readonly waited: number
  /** Why the last attempt or the last session failed; `undefined` before the first failure. */
  readonly cause?: SessionFailure | undefined
}> {
  /** This side: the call did not leave it. */
  readonly initiator: Initiator = "Local"
  /** `"no"`: no byte of the call was sent. */
  readonly processed: Processed = "no"

  override get message(): string {
    const waited = Math.round(this.waited)
    const what = {
      Timeout: `no session within ${waited} ms`,
      FailFast: "no session now, and the call does not wait",
      TooManyWaiting: "no session now, and as many calls as maxWaiting allows wait already",
      GaveUp: "the managed session has given up"
    }[this.reason]
    const attempts = this.attempts === 1 ? "1 attempt" : `${this.attempts} attempts`
    const cause =
      this.cause === undefined ? "" : `; the last failure: ${this.cause.message.replaceAll(/\s*\n\s*/g, " ")}`
    return `The call was not sent: ${what} (${this.state}, ${attempts})${cause}`
  }
}

/**
 * Why one session failed, or one attempt to make it.
 *
 * @since 0.1.0
 * @category errors
 */
export type SessionFailure = ProtocolViolation | SessionDead | RemoteGoneAway | TransportFailed | SessionClosed
