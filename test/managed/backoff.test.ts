import { assert, describe } from "@effect/vitest"
import { type Clock, Effect, Fiber, Random } from "effect"
import { ManagedSession } from "effect-muxado"
import { call, echo } from "../support/managed/calls.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

/** The clock of the test, whose wall time runs ahead of its monotonic time by `ahead()`. */
const clockAhead = (ahead: () => number) =>
  Effect.map(Effect.clock, (clock): Clock.Clock => {
    const wall = () => clock.unsafeCurrentTimeMillis() + ahead()
    return Object.create(clock, {
      unsafeCurrentTimeMillis: { value: wall },
      // that of a TestClock is made from its milliseconds
      unsafeCurrentTimeNanos: { value: () => clock.unsafeCurrentTimeNanos() },
      currentTimeMillis: { value: Effect.sync(wall) }
    }) as Clock.Clock
  })

describe("a delay", () => {
  virtually("is not over because the wall clock has jumped ahead, and a call waits", () =>
    Effect.gen(function* () {
      let ahead = 0
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const clock = yield* clockAhead(() => ahead)
      // of each delay, the longest: the first is 100 ms, and 20 ms if a call waits
      const session = yield* ManagedSession.make({ connect: network.connect, openTimeout: "30 millis" }).pipe(
        Effect.withClock(clock),
        Effect.withRandom(Random.fixed([1]))
      )
      yield* Effect.sleep("1 milli")
      assert.strictEqual(network.dials, 1)
      ahead = 3_600_000
      const calling = yield* Effect.fork(Effect.exit(call(session, "a")))
      yield* Effect.sleep("18 millis")
      assert.strictEqual(network.dials, 1, "an attempt sooner than 20 ms after a failure")
      yield* Fiber.interrupt(calling)
    })
  )
})
