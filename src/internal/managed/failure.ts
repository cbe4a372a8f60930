/** Whatever an attempt to connect fails with, as the error of a session. */
import * as Cause from "effect/Cause"
import type { SessionFailure } from "../../MuxadoError.js"
import { isMuxadoError, TransportFailed } from "../../MuxadoError.js"

export const failureOf = (cause: Cause.Cause<unknown>): SessionFailure => {
  if (Cause.isInterruptedOnly(cause)) return openFailed(new Error("the attempt to connect interrupted itself"))
  const error = Cause.squash(cause)
  if (!isMuxadoError(error)) return openFailed(error)
  switch (error._tag) {
    case "ProtocolViolation":
    case "RemoteGoneAway":
    case "SessionClosed":
    case "SessionDead":
    case "TransportFailed":
      return error
    case "SessionUnavailable":
      return error.cause ?? openFailed(error)
    default:
      return openFailed(error)
  }
}

/** An attempt that did not end in time. */
export const tooLate = (limit: number): TransportFailed =>
  openFailed(new Error(`connecting and the first heartbeat took longer than ${limit} ms (connectTimeout)`))

const openFailed = (cause: unknown): TransportFailed =>
  new TransportFailed({ reason: "Open", cause, initiator: "Local", processed: "no" })
