/** A race of two effects that cannot hang. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Once } from "./waiters.js"

/**
 * Returns the exit of the effect that completes first, and interrupts the other one. `Effect.raceFirst` (effect 3.22)
 * does not complete if it is interrupted after it has made its fibers and before it starts them. This function does.
 */
export const race = <A, E, R, B, F, Q>(
  self: Effect.Effect<A, E, R>,
  that: Effect.Effect<B, F, Q>
): Effect.Effect<A | B, E | F, R | Q> =>
  Effect.suspend(() => {
    const first = new Once<A | B, E | F>()
    const start = (effect: Effect.Effect<A | B, E | F, R | Q>) =>
      effect.pipe(
        Effect.onExit((exit) => Effect.sync(() => first.complete(exit))),
        Effect.interruptible,
        Effect.fork
      )
    return Effect.acquireUseRelease(
      Effect.zip(start(self), start(that)),
      () => first.await,
      (fibers) => Fiber.interruptAll(fibers)
    )
  })
