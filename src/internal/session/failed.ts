/** Ends a session whose reader, writer or timer fails. */
import * as Cause from "effect/Cause"
import { TransportFailed } from "../../MuxadoError.js"
import type { SessionState } from "./state.js"

/**
 * Ends the session with `TransportFailed`, unless it has ended. A transport, reader or writer that throws, dies or
 * interrupts itself ends its session, like one that fails, because nothing else would end it. The session interrupts
 * its fibers only after its end, so an interruption before that is a fault.
 */
export const failed = (session: SessionState, reason: "Read" | "Write", cause: Cause.Cause<TransportFailed>): void => {
  if (session.connection.end !== undefined) return
  const error = Cause.isInterruptedOnly(cause)
    ? new Error(`the session's ${reason === "Read" ? "reader" : "writer"} interrupted itself`)
    : Cause.squash(cause)
  session.transportFailed(
    error instanceof TransportFailed
      ? error
      : new TransportFailed({ reason, cause: error, initiator: "Local", processed: "maybe" })
  )
}
