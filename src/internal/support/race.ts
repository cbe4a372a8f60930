/** A race of two effects that cannot hang. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Once } from "./waiters.js"

/**
 * What the first of two effects to complete gives; the other is interrupted. Unlike `Effect.raceFirst` (effect 3.22) it
 * never hangs: interrupted in a pause between making its fibers and starting them, that one never completes.
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
