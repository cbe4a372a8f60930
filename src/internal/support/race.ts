import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/**
 * What the first of two effects to complete gives; the other is interrupted. Unlike `Effect.raceFirst` (effect 3.22) it
 * never hangs: interrupted in a pause between making its fibers and starting them, that one never completes.
 */
export const race = <A, E, R, B, F, Q>(
  self: Effect.Effect<A, E, R>,
  that: Effect.Effect<B, F, Q>
): Effect.Effect<A | B, E | F, R | Q> =>
  Effect.suspend(() => {
    let first: Exit.Exit<A | B, E | F> | undefined
    const completed = Effect.unsafeMakeLatch(false)
    const start = (effect: Effect.Effect<A | B, E | F, R | Q>) =>
      effect.pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            first ??= exit
            completed.unsafeOpen()
          })
        ),
        Effect.interruptible,
        Effect.fork
      )
    return Effect.acquireUseRelease(
      Effect.zip(start(self), start(that)),
      () =>
        Effect.zipRight(
          completed.await,
          Effect.suspend(() => first ?? Effect.never)
        ),
      (fibers) => Fiber.interruptAll(fibers)
    )
  })
