/**
 * Why sessions and streams end, as plain values. The services turn them into the errors of `MuxadoError`.
 *
 * @since 0.1.0
 */
import { ErrorCode } from "./errorCode.js"

/**
 * Which side caused something.
 *
 * @since 0.1.0
 * @category models
 */
export type Side = "Local" | "Remote"

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
 * Why a session is over. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export type SessionEnd =
  | { readonly _tag: "Violation"; readonly code: ErrorCode; readonly detail: string; readonly initiator: Side }
  | {
      readonly _tag: "Dead"
      readonly reason: "Heartbeat" | "WriteStalled" | "PartialFrame"
      readonly silentFor: number
      readonly since: number
    }
  | GoneAway
  | {
      readonly _tag: "TransportFailed"
      readonly reason: "Open" | "Read" | "Write" | "Ended"
      readonly cause: unknown
      readonly initiator: Side
    }
  | { readonly _tag: "Closed" }

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
      readonly initiator: Side
      readonly processed: "no" | "maybe"
    }
  | { readonly _tag: "SessionEnded"; readonly end: SessionEnd; readonly processed: "no" | "maybe" }

/**
 * What a GOAWAY of the peer means for the end of the session: it leaves, or it says that we broke the rules.
 *
 * @since 0.1.0
 * @category conversions
 */
export const endBy = (goneAway: GoneAway): SessionEnd => {
  switch (goneAway.code) {
    case ErrorCode.ProtocolError:
    case ErrorCode.FlowControlError:
    case ErrorCode.FrameSizeError: {
      const detail = new TextDecoder().decode(goneAway.debug)
      return { _tag: "Violation", code: goneAway.code, detail, initiator: "Remote" }
    }
    default:
      return goneAway
  }
}
