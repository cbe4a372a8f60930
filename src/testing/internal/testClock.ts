/**
 * Effect's `TestClock`: what this library needs of it beyond its time, `adjust` and `setTime`, and nothing outside of
 * this file does. To pass time from sleep to sleep one must know when the next sleep ends, and only the clock knows
 * that: fibers of the program sleep on it that this library never meets. Effect 3 lists the sleeps (`sleeps`). Effect's
 * next major does not: there `sleepsOf` needs a clock of this library under the program.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import { hasProperty } from "effect/Predicate"
import type * as TestClock from "effect/TestClock"

/** Whether a clock is a `TestClock`, or shows the time of one and can be adjusted like one. */
export const isTestClock = (clock: unknown): clock is TestClock.TestClock =>
  hasProperty(clock, "setTime") && hasProperty(clock, "adjust") && hasProperty(clock, "sleeps")

/** When the sleeps on the clock end, in its milliseconds and in no order. A sleep that was interrupted still counts. */
export const sleepsOf = (clock: TestClock.TestClock): ReadonlyArray<number> =>
  Chunk.toReadonlyArray(Effect.runSync(clock.sleeps))

/** When the next sleep on the clock ends, in its milliseconds; `Infinity` for never. */
export const nextSleep = (clock: TestClock.TestClock): number =>
  sleepsOf(clock).reduce((earliest, end) => Math.min(earliest, end), Infinity)

/**
 * The same clock, whose `setTime` does not wait some milliseconds of real time for fibers to suspend: the caller has
 * done so. Should `TestClock` come to wait in another way, setting the time is slower and otherwise the same.
 */
export const withoutWaiting = (clock: TestClock.TestClock): TestClock.TestClock =>
  above(clock, { awaitSuspended: { value: () => Effect.void } })

/** What a clock above a `TestClock` does itself. */
export interface Replaced extends Pick<TestClock.TestClock, "sleep" | "setTime" | "adjust" | "adjustWith"> {
  /** When its own sleeps end, in its milliseconds. */
  readonly ownSleeps: () => ReadonlyArray<number>
}

/** A `TestClock` that shows the time of another, and does some things itself. */
export const replacing = (
  base: TestClock.TestClock,
  { adjust, adjustWith, ownSleeps, setTime, sleep }: Replaced
): TestClock.TestClock =>
  above(base, {
    sleep: { value: sleep },
    setTime: { value: setTime },
    adjust: { value: adjust },
    adjustWith: { value: adjustWith },
    sleeps: { get: () => Effect.sync(() => Chunk.unsafeFromArray([...sleepsOf(base), ...ownSleeps()])) }
  })

/** The same clock with other properties; what they do not replace is the clock's own. */
const above = (clock: TestClock.TestClock, properties: PropertyDescriptorMap): TestClock.TestClock => {
  // a proxy over it may replace them
  const replaceable: PropertyDescriptorMap = {}
  for (const [name, property] of Object.entries(properties)) replaceable[name] = { ...property, configurable: true }
  const copy: unknown = Object.create(clock, replaceable)
  return isTestClock(copy) ? copy : clock
}
