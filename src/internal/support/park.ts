/**
 * Parking a fiber until a callback wakes it. This is the only place of the library that calls `Effect.async`, so the
 * way in which Effect suspends a fiber concerns one file.
 */
import * as Effect from "effect/Effect"

/** Wakes the fiber, which goes on with the effect. Only the first call counts. */
export type Resume<A, E = never> = (effect: Effect.Effect<A, E>) => void

/**
 * Parks the fiber that runs it. `register` is called at once, and keeps `resume` for later or calls it at once. The
 * effect that it may return runs when the fiber is interrupted while it is parked.
 *
 * A fiber can be interrupted between the step before and `register`: then neither `register` nor its cleanup runs.
 * What must be undone in any case belongs to `Effect.acquireUseRelease`.
 */
export const park = <A, E = never>(
  register: (resume: Resume<A, E>) => Effect.Effect<void> | void
): Effect.Effect<A, E> => Effect.async<A, E>(register)
