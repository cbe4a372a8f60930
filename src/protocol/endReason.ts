/**
 * Why sessions and streams end, as plain values. The services turn them into the errors of `MuxadoError`.
 *
 * @since 0.1.0
 */
import { ErrorCode } from "./wire/errorCode.js"
import { debugText } from "./wire/frame.js"

/**
 * Which side of the session caused something: `"Local"` is this side, `"Remote"` the peer.
 *
 * @since 0.1.0
 * @category models
 */
export type Initiator = "Local" | "Remote"

/**
 * Whether the peer may have processed the failed stream: `"no"` is a guarantee, `"maybe"` is not.
 *
 * @since 0.1.0
 * @category models
 */
export type Processed = "no" | "maybe"

/**
 * The contents of the peer's GOAWAY.
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
 * This side closed the session. `code` and `debug` are the reason that it sent, if it sent one.
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
 * Why a stream failed, and whether the peer may have processed it.
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
 * Merges the next GOAWAY of the peer into its earlier ones. The first one with a code other than NoError stays. NoError
 * with a text may only announce a drain, so a later code or text replaces it; the GOAWAY that closes a session usually
 * has neither. If only the next one reports a violation by this side, its code and text replace the earlier ones. The
 * last stream id is the lower of both.
 *
 * @since 0.1.0
 * @category conversions
 */
export const goneAwayAgain = (first: GoneAway | undefined, next: GoneAway): GoneAway => {
  if (first === undefined) return next
  const stays = first.code !== ErrorCode.NoError || (next.code === ErrorCode.NoError && next.debug.length === 0)
  const worse = isViolation(next.code) && !isViolation(first.code)
  const { code, debug } = stays && !worse ? first : next
  return { _tag: "GoneAway", lastStreamId: Math.min(first.lastStreamId, next.lastStreamId), code, debug }
}

const isViolation = (code: ErrorCode): boolean =>
  code === ErrorCode.ProtocolError || code === ErrorCode.FlowControlError || code === ErrorCode.FrameSizeError

/**
 * The reason for the end of the session that a GOAWAY of the peer gives: the peer leaves, or it reports a violation by
 * this side.
 *
 * @since 0.1.0
 * @category conversions
 */
export const endBy = (goneAway: GoneAway): SessionEnd =>
  isViolation(goneAway.code)
    ? { _tag: "Violation", code: goneAway.code, detail: debugText(goneAway.debug), initiator: "Remote" }
    : goneAway
