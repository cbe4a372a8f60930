/** Which Sockets can become transports: each carries one at a time. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { describeValue } from "../support/bytes.js"

/** The Sockets that are transports now; one that can connect again may be one again. */
const carried = new WeakSet<object>()

/** Why a value cannot carry a transport. */
export const unusable = (socket: unknown): Error | undefined => {
  if (typeof socket !== "object" || socket === null || !("runRaw" in socket && "writer" in socket)) {
    return new TypeError(`fromSocket takes a Socket, not ${describeValue(socket)}`)
  }
  return carried.has(socket) ? new Error("this Socket already carries a transport: make a Socket for each") : undefined
}

/** The Socket carries a transport until the scope ends. */
export const carry = (socket: object): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void carried.add(socket)),
    () => Effect.sync(() => carried.delete(socket))
  )
