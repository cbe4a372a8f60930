/** The random numbers for the protocol. */
import type * as Effect from "effect/Effect"
import * as Random from "effect/Random"

const UINT32 = 0x1_0000_0000

/** A random uint32 from the `Random` of the fiber that runs this. */
export const nonce: Effect.Effect<number> = Random.nextIntBetween(0, UINT32)
