/** Counts the sleeps of a program, and the resources that Node counts. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { derive } from "./clocks.js"
import { realTurn } from "./turns.js"

// --- sleeps ---

export const makeSleeps = () => {
  /** When each sleep ends. */
  const ends = new Map<object, number>()

  const sleep = (clock: Clock.Clock, duration: Duration.Duration): Effect.Effect<void> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const key = {}
        ends.set(key, clock.unsafeCurrentTimeMillis() + Duration.toMillis(duration))
        return Effect.ensuring(
          restore(clock.sleep(duration)),
          Effect.sync(() => ends.delete(key))
        )
      })
    )

  /** The same clock (a `TestClock` stays one), whose sleeps are counted. */
  const countedClock = (clock: Clock.Clock): Clock.Clock =>
    derive(
      new Proxy(clock, {
        get: (target, key): unknown =>
          key === "sleep" ? (duration: Duration.Duration) => sleep(target, duration) : Reflect.get(target, key)
      }),
      clock
    )

  return {
    counted: <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.clockWith((clock) => Effect.withClock(effect, countedClock(clock))),

    pending: (): ReadonlyArray<string> => [...ends.values()].sort((a, b) => a - b).map((end) => `until ${end} ms`)
  }
}

// --- resources ---

/** How many active resources of each kind there are: "Timeout", "TCPSocketWrap" and so on. Empty except in Node. */
export const resources: Effect.Effect<ReadonlyMap<string, number>> = Effect.suspend(() =>
  // always inside the callback of a timer: Node counts that timer each time, or never
  Effect.map(realTurn, count)
)

const count = (): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  if (typeof process === "undefined" || typeof process.getActiveResourcesInfo !== "function") return counts
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

export const excess = (
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>
): ReadonlyArray<string> =>
  [...after].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0)
    // an "Immediate" is a turn of the event loop that this check waits for
    return more > 0 && kind !== "Immediate" ? [`${more} x ${kind}`] : []
  })

// --- patience ---

/** Checks until nothing is left, at most `times` times more, 5 ms apart. Returns the last result. */
export const untilEmpty = <A>(
  left: Effect.Effect<A>,
  isEmpty: (left: A) => boolean,
  times: number
): Effect.Effect<A> => {
  const attempt = (patience: number): Effect.Effect<A> =>
    Effect.flatMap(left, (found) =>
      patience === 0 || isEmpty(found) ? Effect.succeed(found) : Effect.zipRight(realTurn, attempt(patience - 1))
    )
  return attempt(times)
}
