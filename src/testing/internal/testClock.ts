/**
 * Effect's `TestClock`. Only this file uses more of it than its time, `adjust` and `setTime`: the list of its sleeps.
 * To advance time from sleep to sleep, this library must know when the next sleep ends. Only the clock knows that,
 * because fibers that this library does not see sleep on it. Effect 3 lists the sleeps (`sleeps`). Effect's next major
 * does not: there `sleepsOf` would need a clock of this library under the program.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import { hasProperty } from "effect/Predicate"
import type * as TestClock from "effect/TestClock"

/** Whether a clock is a `TestClock`, or shows the time of one and can be adjusted like one. */
export const isTestClock = (clock: unknown): clock is TestClock.TestClock =>
  hasProperty(clock, "setTime") && hasProperty(clock, "adjust") && hasProperty(clock, "sleeps")

/** When the sleeps on the clock end, in its milliseconds, in any order. A sleep that was interrupted still counts. */
export const sleepsOf = (clock: TestClock.TestClock): ReadonlyArray<number> =>
  Chunk.toReadonlyArray(Effect.runSync(clock.sleeps))

/** When the next sleep on the clock ends, in its milliseconds; `Infinity` if there is none. */
export const nextSleep = (clock: TestClock.TestClock): number =>
  sleepsOf(clock).reduce((earliest, end) => Math.min(earliest, end), Infinity)

/**
 * The same clock, but its `setTime` does not wait some milliseconds of real time for fibers to suspend: the caller has
 * waited. If a later `TestClock` waits in another way, this is slower but still correct.
 */
export const withoutWaiting = (clock: TestClock.TestClock): TestClock.TestClock =>
  above(clock, { awaitSuspended: { value: () => Effect.void } })

/** The parts of a `TestClock` that another clock replaces. */
export interface Replaced extends Pick<TestClock.TestClock, "sleep" | "setTime" | "adjust" | "adjustWith"> {
  /** When its own sleeps end, in its milliseconds. */
  readonly ownSleeps: () => ReadonlyArray<number>
}

/** A `TestClock` that shows the time of another, with some parts replaced. */
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

/** A clock with these properties; all others come from the given clock. */
const above = (clock: TestClock.TestClock, properties: PropertyDescriptorMap): TestClock.TestClock => {
  // configurable, so that a proxy over the clock may replace them
  const replaceable: PropertyDescriptorMap = {}
  for (const [name, property] of Object.entries(properties)) replaceable[name] = { ...property, configurable: true }
  const copy: unknown = Object.create(clock, replaceable)
  return isTestClock(copy) ? copy : clock
}
