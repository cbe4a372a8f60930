import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SimulatedSessions, VirtualTime } from "effect-muxado/testing"

describe("a simulated link", () => {
  it.effect("goes on after a program has slept for fractions of a millisecond", () =>
    Effect.gen(function* () {
      const { client } = yield* SimulatedSessions.make({ link: { latency: "3 millis" } })
      let pings = 0
      for (let i = 1; i <= 200; i++) {
        // jittered schedules sleep for such times
        yield* Effect.sleep(i * Math.PI)
        yield* client.ping
        pings++
      }
      assert.strictEqual(pings, 200)
    }).pipe(Effect.scoped, VirtualTime.run)
  )
})
