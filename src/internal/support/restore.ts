import type * as Effect from "effect/Effect"

/** What an uninterruptible region gives back to an effect inside it: the interruptibility that was there before. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
