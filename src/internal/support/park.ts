/**
 * Parks a fiber until a callback wakes it. Only this file calls `Effect.async`, so only this file depends on how Effect
 * suspends a fiber.
 */
import * as Effect from "effect/Effect"

/** Wakes the fiber, which continues with the effect. Only the first call has an effect. */
export type Resume<A, E = never> = (effect: Effect.Effect<A, E>) => void

/**
 * Parks the fiber that runs it. Calls `register` at once. `register` calls `resume`, or keeps it for later. It may
 * return an effect, which runs if the fiber is interrupted while it is parked.
 *
 * If a fiber is interrupted before `register` is called, neither `register` nor its cleanup runs. Use
 * `Effect.acquireUseRelease` for a change that must always be undone.
 */
export const park = <A, E = never>(
  register: (resume: Resume<A, E>) => Effect.Effect<void> | void
): Effect.Effect<A, E> => Effect.async<A, E>(register)
