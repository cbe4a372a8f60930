import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import { millis, millisOf } from "../../src/internal/support/clock.js"
import { nonce } from "../../src/internal/support/nonce.js"

describe("the clock of a session", () => {
  it.effect("counts the milliseconds of the fiber's clock, with fractions", () =>
    Effect.gen(function* () {
      const began = yield* millis
      yield* TestClock.adjust("1500 micros")
      assert.strictEqual(millisOf(yield* Effect.clock) - began, (yield* millis) - began)
      yield* TestClock.adjust("2 seconds")
      assert.isAtLeast((yield* millis) - began, 2001)
    })
  )

  it.live("does not go back when the time of day does", () =>
    Effect.gen(function* () {
      const { now } = Date
      const began = yield* millis
      yield* Effect.acquireUseRelease(
        Effect.sync(() => (Date.now = () => 0)),
        () => Effect.map(millis, (later) => assert.isAtLeast(later, began)),
        () => Effect.sync(() => (Date.now = now))
      )
    })
  )
})

describe("a nonce", () => {
  it.effect("is a uint32 of the fiber's Random", () =>
    Effect.gen(function* () {
      const draw = Effect.withRandom(Effect.replicateEffect(nonce, 100), Random.make("seed"))
      const numbers = yield* draw
      for (const number of numbers) assert.isTrue(Number.isInteger(number) && number >= 0 && number <= 0xffffffff)
      assert.isAbove(new Set(numbers).size, 90)
    })
  )
})
