/** What ends a session whose reader, writer or timer cannot go on. */
import * as Cause from "effect/Cause"
import { TransportFailed } from "../../MuxadoError.js"
import type { SessionState } from "./state.js"

/**
 * A fiber of the session ends before the session has: a transport, reader or writer that throws, dies or interrupts
 * itself must end it as one that fails does, since nothing else would. The session interrupts
 * its fibers only after its end.
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
