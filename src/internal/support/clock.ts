/** The time that the protocol gets: milliseconds, with fractions, of a clock that only goes forward. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** The milliseconds of this clock. Only their differences mean something. */
export const millisOf = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/** The same, of the clock of the fiber that runs this. */
export const millis: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => millisOf(clock)))
