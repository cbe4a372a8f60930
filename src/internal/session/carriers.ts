/** Checks whether a value can carry a session: it has the operations of a transport, and has not carried a session. */
import type { TransportService } from "../transport/transportService.js"
import { describe } from "../support/describe.js"

/**
 * Whether a value has the operations of a transport.
 *
 * It calls no getter, unlike `Transport.isTransport`. If a getter throws, the session reports this when it uses the
 * operation.
 */
export const hasOperations = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  try {
    // an object with `pipe` and `on` is a Node stream
    const names = ["read", "write", "end", "destroy"]
    return names.every((name) => name in value) && !("pipe" in value && "on" in value)
  } catch {
    return false
  }
}

/** The error text for a value that is not a transport. */
export const noTransport = (value: unknown): string =>
  `a session needs a transport whose read, end and destroy are effects, not ${describe(value)}`

/**
 * The transports that carry or have carried a session. The bytes that one session leaves unread cannot start another.
 */
export const carriers = new WeakSet<TransportService>()

/** The error text for a transport in `carriers`. */
export const CARRIES_ONE =
  "this transport already carries a session: make a transport for each session, " +
  "or compose the session's layer with its transport's once and share the result"
