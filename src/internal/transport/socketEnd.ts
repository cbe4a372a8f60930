/** Maps the ways in which a platform `Socket` ends to two reasons: an orderly end, or a failed read. */
import * as Socket from "@effect/platform/Socket"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { causeOf } from "./foreignCalls.js"

/** The reason why a socket's run ended. */
export const ending = (
  exit: Exit.Exit<void, Socket.SocketError>,
  opened: boolean
): { readonly reason: "Ended" | "Read"; readonly cause: unknown } => {
  if (Exit.isSuccess(exit)) return { reason: "Ended", cause: undefined }
  const error = Cause.squash(exit.cause)
  return opened && Socket.SocketCloseError.is(error) && ORDERLY_CLOSE_CODES.has(error.code)
    ? { reason: "Ended", cause: error }
    : { reason: "Read", cause: causeOf(exit.cause) }
}

/** Normal closure, going away, and a close frame without a code. */
const ORDERLY_CLOSE_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005])
