/** The time for the protocol: milliseconds, with fractions, of a monotonic clock. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** The milliseconds of a clock. Only differences between two values have a meaning. */
export const millisOf = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/** The milliseconds of the clock of the fiber that runs this. */
export const millis: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => millisOf(clock)))
