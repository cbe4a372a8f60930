import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { eagerly, makeEagerScheduler } from "./eagerScheduler.js"

describe("the eager scheduler", () => {
  it("runs a task before scheduleTask returns", () => {
    const order: Array<string> = []
    const scheduler = makeEagerScheduler()
    scheduler.scheduleTask(() => {
      scheduler.scheduleTask(() => order.push("inner"), 0)
      order.push("outer")
    }, 0)
    assert.deepStrictEqual(order, ["inner", "outer"])
    assert.strictEqual(scheduler.deepest(), 2)
  })

  it.live("runs a woken fiber inside the call that wakes it", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const gate = Deferred.unsafeMake<void>(yield* Effect.fiberId)
      const fiber = yield* Effect.fork(Effect.map(Deferred.await(gate), () => order.push("woken")))
      Deferred.unsafeDone(gate, Effect.void)
      order.push("goes on")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(order, ["woken", "goes on"])
    }).pipe(eagerly)
  )

  it.live("gives other fibers a turn when a fiber yields", () =>
    Effect.gen(function* () {
      let stop = false
      const waiting = yield* Effect.fork(Effect.yieldNow().pipe(Effect.repeat({ until: () => stop })))
      stop = true
      yield* Fiber.join(waiting)
    }).pipe(eagerly)
  )

  it("leaves what would run too deep to the default scheduler", async () => {
    const scheduler = makeEagerScheduler(3)
    const levels = await new Promise<number>((resolve) => {
      const down = (level: number): void => {
        if (level === 10_000) resolve(scheduler.deepest())
        else scheduler.scheduleTask(() => down(level + 1), 0)
      }
      down(0)
    })
    assert.strictEqual(levels, 3)
  })
})
