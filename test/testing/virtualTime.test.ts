import { assert, describe, it } from "@effect/vitest"
import { VirtualTime } from "effect-muxado/testing"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"

const notDone = <A>(effect: Effect.Effect<A>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : assert.fail("it was done")
    assert.instanceOf(error, VirtualTime.NotDone)
    return error
  })

describe("VirtualTime.run", () => {
  it.effect("has time pass for as long as it is needed, and no longer", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const ticking = Effect.forEach([5, 1000, 0.5, 1_800_000], (millis) =>
        Effect.zipRight(
          Effect.sleep(millis),
          Effect.map(Clock.currentTimeMillis, (now) => seen.push(now))
        )
      )
      const result = yield* VirtualTime.run(Effect.as(Effect.zip(ticking, Effect.sleep(1), { concurrent: true }), 7))
      assert.strictEqual(result, 7)
      assert.deepStrictEqual(seen, [5, 1005, 1005.5, 1_801_005.5])
      assert.strictEqual(yield* Clock.currentTimeMillis, 1_801_005.5)
    })
  )

  it.effect("waits for what happens in real time, too", () =>
    VirtualTime.run(
      Effect.zipRight(
        Effect.sleep("1 minute"),
        Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 30)))
      )
    )
  )

  it.effect("passes failures on", () =>
    Effect.gen(function* () {
      const failing = Effect.zipRight(Effect.sleep(10), Effect.fail("no"))
      assert.strictEqual(yield* Effect.flip(VirtualTime.run(failing)), "no")
    })
  )

  it.effect("finds what hangs for ever, and interrupts it", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const hanging = Effect.sleep("1 minute").pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
      )
      const error = yield* notDone(VirtualTime.run(hanging))
      assert.deepStrictEqual([error.reason, error.after], ["Deadlock", 60_000])
      assert.include(error.message, "this hangs")
      yield* Deferred.await(interrupted)
    })
  )

  it.effect("has no more time pass than its limit", () =>
    Effect.gen(function* () {
      const error = yield* notDone(VirtualTime.run(Effect.forever(Effect.sleep("4 seconds")), { limit: "10 seconds" }))
      assert.deepStrictEqual([error.reason, error.after], ["Limit", 8000])
      assert.include(error.message, "the limit")
    })
  )

  it.effect("interrupts what it runs when it is interrupted", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const running = yield* Effect.never.pipe(
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined)),
        VirtualTime.run,
        Effect.fork
      )
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(running)
      yield* Deferred.await(interrupted)
    })
  )
})
