/**
 * The closing of sessions over a simulated link. Under a `TestClock`, the test has often ended before they close, and
 * moves the clock no more. So this moves the clock while it stands still.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as TestClock from "effect/TestClock"
import { isPassing, rootOf } from "./clocks.js"
import { isTestClock, nextSleep, withoutWaiting } from "./testClock.js"
import { macrotask, realTurn } from "./turns.js"

/** Runs the effect that closes a session over a link on this clock. */
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

/** Moves the clock from sleep to sleep, unless other code moves it. */
const moveAlong = (clock: TestClock.TestClock): Effect.Effect<never> => {
  const quick = withoutWaiting(clock)
  return Effect.gen(function* () {
    yield* untilStill(clock)
    for (;;) {
      const next = nextSleep(clock)
      if (next === Infinity) return
      yield* quick.setTime(next)
      yield* Effect.repeatN(macrotask, 1)
      if (clock.unsafeCurrentTimeMillis() !== next) return
    }
  }).pipe(Effect.forever)
}

/**
 * How many turns of 5 ms the clock must not move. Turns are counted, not time: in a busy process, time passes in which
 * the test gets no turn to move the clock.
 */
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
