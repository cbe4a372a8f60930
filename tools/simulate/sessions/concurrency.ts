/**
 * Like `Effect.timeoutOption` and `Effect.all` with concurrency. Those (effect 3.22) can hang if they are interrupted
 * in the moment in which they start their fibers. This simulation runs any fiber next, and makes fibers yield anywhere,
 * so it reaches that moment.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { race } from "../../../src/internal/support/race.js"

/** Interrupts an effect that takes longer. */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  milliseconds: number
): Effect.Effect<Option.Option<A>, E, R> =>
  race(Effect.map(effect, Option.some), Effect.as(Effect.sleep(milliseconds), Option.none<A>()))

/** Completes when both have, or fails when one has and the other was interrupted. */
export const both = <E, F>(
  self: Effect.Effect<unknown, E>,
  that: Effect.Effect<unknown, F>
): Effect.Effect<void, E | F> =>
  Effect.suspend(() => {
    let left = 2
    let failure: Cause.Cause<E | F> | undefined
    const over = Effect.unsafeMakeLatch(false)
    const start = (effect: Effect.Effect<unknown, E | F>) =>
      effect.pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isFailure(exit)) failure ??= exit.cause
            if (--left === 0 || failure !== undefined) over.unsafeOpen()
          })
        ),
        Effect.interruptible,
        Effect.fork
      )
    return Effect.acquireUseRelease(
      Effect.zip(start(self), start(that)),
      () =>
        Effect.zipRight(
          over.await,
          Effect.suspend(() => (failure === undefined ? Effect.void : Effect.failCause(failure)))
        ),
      (fibers) => Fiber.interruptAll(fibers)
    )
  })
