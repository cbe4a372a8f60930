/** Calls of what is not ours, a `Socket` above all: it may throw, die, interrupt itself, or never complete. */
import * as Socket from "@effect/platform/Socket"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { describeValue } from "../support/bytes.js"
import { race } from "../support/race.js"

/** The effect that `f` gives; what it throws, or gives that is no effect, is a defect. */
export const call = <A, E, R>(what: string, f: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const effect = f()
    return Effect.isEffect(effect)
      ? effect
      : Effect.die(new TypeError(`${what} must be an Effect, not ${describeValue(effect)}`))
  })

/** The `Error` at the bottom: a platform error holds the medium's own one, and a WebSocket's is in an event. */
export const causeOf = (cause: Cause.Cause<unknown>): unknown => {
  if (Cause.isInterruptedOnly(cause)) return new Error("the Socket interrupted itself")
  const error = Cause.squash(cause)
  if (!Socket.isSocketError(error) || error.reason === "Close") return error
  if (error.cause instanceof Error) return error.cause
  const inner =
    typeof error.cause === "object" && error.cause !== null && "error" in error.cause ? error.cause.error : undefined
  return inner instanceof Error ? inner : error
}

/** Waits for a release, but not longer than this: what cannot even be released is left to itself. */
export const atMost = (limit: Duration.DurationInput, release: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.asVoid(race(Effect.disconnect(Effect.interruptible(release)), Effect.sleep(limit)))
