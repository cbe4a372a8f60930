/**
 * Guards calls of code outside this library, such as a `Socket`: it may throw, die, interrupt itself, or never
 * complete.
 */
import * as Socket from "@effect/platform/Socket"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { describeValue } from "../support/bytes.js"
import { race } from "../support/race.js"

/** Runs the effect that `f` returns. Dies if `f` throws or returns another value; `what` names it in the error. */
export const call = <A, E, R>(what: string, f: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const effect = f()
    return Effect.isEffect(effect)
      ? effect
      : Effect.die(new TypeError(`${what} must be an Effect, not ${describeValue(effect)}`))
  })

/** Finds the original `Error`. A platform error contains the medium's error; that of a WebSocket is inside an event. */
export const causeOf = (cause: Cause.Cause<unknown>): unknown => {
  if (Cause.isInterruptedOnly(cause)) return new Error("the Socket interrupted itself")
  const error = Cause.squash(cause)
  if (!Socket.isSocketError(error) || error.reason === "Close") return error
  if (error.cause instanceof Error) return error.cause
  const inner =
    typeof error.cause === "object" && error.cause !== null && "error" in error.cause ? error.cause.error : undefined
  return inner instanceof Error ? inner : error
}

/** Waits for a release, at most for `limit`. After that, the release continues in the background. */
export const atMost = (limit: Duration.DurationInput, release: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.asVoid(race(Effect.disconnect(Effect.interruptible(release)), Effect.sleep(limit)))
