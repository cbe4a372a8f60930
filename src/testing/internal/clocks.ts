/** Which `TestClock` is under a clock, and moving it. */
import * as Chunk from "effect/Chunk"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { hasProperty } from "effect/Predicate"
import type * as TestClock from "effect/TestClock"
import { macrotask, realTurn } from "./turns.js"

const bases = new WeakMap<Clock.Clock, Clock.Clock>()

/** Says that a clock shows the time of another. */
export const derive = <C extends Clock.Clock>(clock: C, base: Clock.Clock): C => {
  bases.set(clock, base)
  return clock
}

/** The clock whose time it shows. */
export const rootOf = (clock: Clock.Clock): Clock.Clock => {
  let root = clock
  for (let base = bases.get(root); base !== undefined; base = bases.get(root)) root = base
  return root
}

const passing = new WeakSet<Clock.Clock>()

/** Says whether a `VirtualTime.run` lets the time of this clock pass. */
export const setPassing = (clock: Clock.Clock, isPassing: boolean): void => {
  if (isPassing) passing.add(clock)
  else passing.delete(clock)
}

export const isPassing = (clock: Clock.Clock): boolean => {
  const base = bases.get(clock)
  return passing.has(clock) || (base !== undefined && isPassing(base))
}

export const isTestClock = (clock: unknown): clock is TestClock.TestClock =>
  hasProperty(clock, "setTime") && hasProperty(clock, "adjust") && hasProperty(clock, "sleeps")

/** When the next sleep is over, `Infinity` for never. One that was interrupted still counts. */
export const nextSleep = (clock: TestClock.TestClock): Effect.Effect<number> =>
  Effect.map(clock.sleeps, (sleeps) => Chunk.reduce(sleeps, Infinity, (earliest, at) => Math.min(earliest, at)))

/**
 * The same clock, whose `setTime` does not wait some milliseconds of real time for fibers to suspend: the caller has
 * done so. Should `TestClock` come to wait in another way, setting the time is slower and otherwise the same.
 */
export const withoutWaiting = (clock: TestClock.TestClock): TestClock.TestClock =>
  above(clock, { awaitSuspended: { value: () => Effect.void } })

/** The same clock with other properties; what they do not replace is the clock's own. */
export const above = (clock: TestClock.TestClock, properties: PropertyDescriptorMap): TestClock.TestClock => {
  // a proxy over it may replace them
  const replaceable: PropertyDescriptorMap = {}
  for (const [name, property] of Object.entries(properties)) replaceable[name] = { ...property, configurable: true }
  const copy: unknown = Object.create(clock, replaceable)
  return isTestClock(copy) ? copy : clock
}

// --- a clock that stands still ---

/** Turns of 5 ms in which the clock must stand still. Turns are counted, not time: a busy process moves no clock. */
const STILL_TURNS = 10

const untilStill = (clock: Clock.Clock): Effect.Effect<void> =>
  Effect.gen(function* () {
    let seen = clock.unsafeCurrentTimeMillis()
    for (let turns = 0; turns < STILL_TURNS; turns++) {
      yield* realTurn
      const now = clock.unsafeCurrentTimeMillis()
      if (now !== seen) turns = 0
      seen = now
    }
  })

/** Moves the clock from sleep to sleep while nothing else moves it. */
const moveAlong = (clock: TestClock.TestClock): Effect.Effect<never> => {
  const quick = withoutWaiting(clock)
  return Effect.gen(function* () {
    yield* untilStill(clock)
    for (;;) {
      const next = yield* nextSleep(clock)
      if (next === Infinity) return
      yield* quick.setTime(next)
      yield* Effect.repeatN(macrotask, 1)
      if (clock.unsafeCurrentTimeMillis() !== next) return
    }
  }).pipe(Effect.forever)
}

/**
 * How sessions over a link on this clock close. Under a `TestClock` the test is often over by then, and nothing moves the
 * clock any more, so time passes by itself where it would stand still.
 */
export const closingOn =
  (clock: Clock.Clock) =>
  <A, E, R>(closing: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const root = rootOf(clock)
      if (!isTestClock(root) || isPassing(clock)) return closing
      return Effect.acquireUseRelease(
        Effect.forkDaemon(Effect.interruptible(moveAlong(root))),
        () => closing,
        Fiber.interrupt
      )
    })
