/** Tracks the Sockets that carry a transport. A Socket carries one transport at a time. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { describeValue } from "../support/bytes.js"

/** The Sockets that carry a transport now. A Socket that can connect again may carry another one later. */
const carried = new WeakSet<object>()

/** The error if a value cannot carry a transport; otherwise `undefined`. */
export const unusable = (socket: unknown): Error | undefined => {
  if (typeof socket !== "object" || socket === null || !("runRaw" in socket && "writer" in socket)) {
    return new TypeError(`fromSocket: the socket must be a Socket, not ${describeValue(socket)}`)
  }
  return carried.has(socket)
    ? new Error("this Socket already carries a transport: use one Socket for each transport")
    : undefined
}

/** Marks the Socket as carrying a transport until the scope closes. */
export const carry = (socket: object): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void carried.add(socket)),
    () => Effect.sync(() => carried.delete(socket))
  )
