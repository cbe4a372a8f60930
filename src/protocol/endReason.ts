/**
 * Why sessions and streams end, as plain values. The services turn them into the errors of `MuxadoError`.
 *
 * @since 0.1.0
 */
import { ErrorCode } from "./wire/errorCode.js"
import { debugText } from "./wire/frame.js"

/**
 * Which side of the session caused something: `"Local"` is this one, `"Remote"` the peer.
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
 * What the peer's GOAWAY said.
 *
 * @since 0.1.0
 * @category models
 */
export interface GoneAway {
  readonly _tag: "GoneAway"
  readonly lastStreamId: number
  readonly code: ErrorCode
  readonly debug: Uint8Array
}

/**
 * This side closed the session; what it said to the peer of why, if anything.
 *
 * @since 0.1.0
 * @category models
 */
export interface Closed {
  readonly _tag: "Closed"
  readonly code?: ErrorCode
  readonly debug?: string
}

/**
 * Why a session is over. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export type SessionEnd =
  | { readonly _tag: "Violation"; readonly code: ErrorCode; readonly detail: string; readonly initiator: Initiator }
  | {
      readonly _tag: "Dead"
      readonly reason: "Heartbeat" | "WriteStalled" | "PartialFrame"
      readonly silentFor: number
      readonly since: number
      /** No heartbeat was ever answered. */
      readonly neverAnswered?: boolean
    }
  | GoneAway
  | {
      readonly _tag: "TransportFailed"
      readonly reason: "Open" | "Read" | "Write" | "Ended"
      readonly cause: unknown
      readonly endpoint?: string | undefined
      readonly initiator: Initiator
    }
  | Closed

/**
 * Why a stream failed, and whether the peer may have acted on it.
 *
 * @since 0.1.0
 * @category models
 */
export type StreamFailure =
  | {
      readonly _tag: "Reset"
      readonly code: ErrorCode
      readonly initiator: Initiator
      readonly processed: Processed
    }
  | { readonly _tag: "SessionEnded"; readonly end: SessionEnd; readonly processed: Processed }

/**
 * What is known of why the peer leaves once it has sent another GOAWAY: the first reason that says something stays, since
 * the GOAWAY that closes a session mostly says nothing. That this side broke the rules replaces it. The last stream id
 * only goes down.
 *
 * @since 0.1.0
 * @category conversions
 */
export const goneAwayAgain = (first: GoneAway | undefined, next: GoneAway): GoneAway => {
  if (first === undefined) return next
  const saysSomething = first.code !== ErrorCode.NoError || first.debug.length > 0
  const worse = isViolation(next.code) && !isViolation(first.code)
  const { code, debug } = saysSomething && !worse ? first : next
  return { _tag: "GoneAway", lastStreamId: Math.min(first.lastStreamId, next.lastStreamId), code, debug }
}

const isViolation = (code: ErrorCode): boolean =>
  code === ErrorCode.ProtocolError || code === ErrorCode.FlowControlError || code === ErrorCode.FrameSizeError

/**
 * What a GOAWAY of the peer means for the end of the session: it leaves, or it says that we broke the rules.
 *
 * @since 0.1.0
 * @category conversions
 */
export const endBy = (goneAway: GoneAway): SessionEnd =>
  isViolation(goneAway.code)
    ? { _tag: "Violation", code: goneAway.code, detail: debugText(goneAway.debug), initiator: "Remote" }
    : goneAway
