/** What can carry a session: a value with the operations of a transport, which carries no other session. */
import type { TransportService } from "../transport/transportService.js"
import { describe } from "../support/describe.js"

/**
 * Whether a value has the operations of a transport.
 *
 * Not `Transport.isTransport`: a getter may fail now and work later, and the session reports what it throws then.
 */
export const hasOperations = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  try {
    // what has `pipe` and `on` is a Node stream
    const names = ["read", "write", "end", "destroy"]
    return names.every((name) => name in value) && !("pipe" in value && "on" in value)
  } catch {
    return false
  }
}

/** What is wrong with a value that is no transport. */
export const noTransport = (value: unknown): string =>
  `a session needs a transport whose read, end and destroy are effects, not ${describe(value)}`

/** The transports that carry a session, or did: what one session leaves unread is no beginning for another. */
export const carriers = new WeakSet<TransportService>()

/** What is wrong with a transport that is one of `carriers`. */
export const CARRIES_ONE =
  "this transport already carries a session: make a transport for each session, " +
  "or compose the session's layer with its transport's once and share the result"
