/** The clock inside `VirtualTime.run`: it shows the time of a `TestClock`, and manages its own sleeps. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as TestClock from "effect/TestClock"
import type { Resume } from "../../internal/support/park.js"
import { park } from "../../internal/support/park.js"
import { derive, setPassing } from "./clocks.js"
import { replacing } from "./testClock.js"

interface Sleep {
  readonly until: number
  readonly order: number
  readonly resume: Resume<void>
}

/** The order of the array: the sleep that ends first is the last element. */
const isLater = (a: Sleep, b: Sleep): boolean => a.until > b.until || (a.until === b.until && a.order > b.order)

export const makeVirtualClock = (base: TestClock.TestClock) => {
  const sleeps: Array<Sleep> = []
  const settling: Array<Resume<void>> = []
  let order = 0
  let over = false

  const now = (): number => base.unsafeCurrentTimeMillis()

  const indexOf = (sleep: Sleep): number => {
    let [low, high] = [0, sleeps.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = sleeps[middle]
      if (other !== undefined && isLater(other, sleep)) low = middle + 1
      else high = middle
    }
    return low
  }

  const untilSettled: Effect.Effect<void> = park<void>((resume) => {
    // a `setTime` that began before `handOver` continues on the `TestClock`
    if (over) return resume(Effect.void)
    settling.push(resume)
  })

  const sleepUntil = (until: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (over) return base.sleep(Duration.millis(until - now()))
      if (!(until > now())) return Effect.void
      return park<void>((resume) => {
        const sleep = { until, order: order++, resume }
        sleeps.splice(indexOf(sleep), 0, sleep)
        return Effect.sync(() => {
          const index = indexOf(sleep)
          if (sleeps[index] === sleep) sleeps.splice(index, 1)
        })
      })
    })

  const sleep = (duration: Duration.Duration): Effect.Effect<void> =>
    Effect.suspend(() => sleepUntil(now() + Duration.toMillis(duration)))

  /**
   * If the program sets the time itself, time advances from sleep to sleep as usual, with all that happens in between.
   */
  const setTime = (time: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (over) return base.setTime(time)
      const passed = time < now() ? base.setTime(time) : sleepUntil(time)
      return Effect.zipRight(Effect.zipRight(untilSettled, passed), untilSettled)
    })

  const adjust = (duration: Duration.DurationInput): Effect.Effect<void> =>
    Effect.suspend(() => setTime(now() + Duration.toMillis(duration)))

  // all other properties come from the TestClock
  const clock = derive(
    replacing(base, {
      sleep,
      setTime,
      adjust,
      adjustWith:
        (duration) =>
        <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
          Effect.zipLeft(effect, adjust(duration), { concurrent: true }),
      ownSleeps: () => sleeps.map(({ until }) => until)
    }),
    base
  )
  setPassing(clock, true)

  return {
    clock,

    /** When the next of its sleeps ends; `Infinity` if there is none. */
    next: (): number => sleeps[sleeps.length - 1]?.until ?? Infinity,

    /** Wakes the fibers whose sleep has ended. False if there are none. */
    wake: (): boolean => {
      let woken = false
      for (let next = sleeps.pop(); next !== undefined; next = sleeps.pop()) {
        if (next.until > now()) {
          sleeps.push(next)
          break
        }
        woken = true
        next.resume(Effect.void)
      }
      return woken
    },

    /** Wakes the fibers that wait until all work at the current time is done. False if there are none. */
    settle: (): boolean => {
      const woken = settling.splice(0)
      for (const resume of woken) resume(Effect.void)
      return woken.length > 0
    },

    /** Moves all pending and future sleeps to the `TestClock`. */
    handOver: (): void => {
      over = true
      setPassing(clock, false)
      for (const { resume, until } of sleeps.splice(0).reverse()) resume(sleepUntil(until))
      for (const resume of settling.splice(0)) resume(Effect.void)
    }
  }
}
