import type * as Effect from "effect/Effect"

/** The `restore` of `Effect.uninterruptibleMask`: gives an effect the interruptibility from before the region. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
