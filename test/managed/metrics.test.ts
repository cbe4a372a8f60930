import { assert, describe } from "@effect/vitest"
import { Chunk, Effect, Fiber, Metric, MetricState, Schedule } from "effect"
import { ManagedSession } from "effect-muxado"
import { call, echo, settle } from "../support/managed/calls.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

/** The value of each metric of clients, by its name and its tags. */
const values = Effect.map(Metric.snapshot, (pairs) => {
  const found = new Map<string, number>()
  for (const { metricKey, metricState } of pairs) {
    if (!metricKey.name.startsWith("muxado_client_")) continue
    const tags = Chunk.toReadonlyArray(Chunk.fromIterable(metricKey.tags)).map(({ key, value }) => `${key}=${value}`)
    const name = [metricKey.name.slice("muxado_client_".length), ...tags].join(" ")
    if (MetricState.isCounterState(metricState)) found.set(name, Number(metricState.count))
    if (MetricState.isGaugeState(metricState)) found.set(name, Number(metricState.value))
  }
  return found
})

const changed = <E>(effect: Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    const before = yield* values
    yield* effect
    const after = yield* values
    return Object.fromEntries(
      [...after]
        .map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
        .filter(([, value]) => value !== 0)
    )
  })

describe("metrics", () => {
  virtually("after a restart with refused attempts count each thing once", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const counts = yield* changed(
        Effect.scoped(
          Effect.gen(function* () {
            const session = yield* ManagedSession.make({
              connect: network.connect,
              reconnect: Schedule.spaced("1 second"),
              openTimeout: "500 millis"
            })
            yield* Effect.sleep("20 seconds")
            network.mode = "Refuse"
            yield* network.kill
            yield* settle
            yield* Effect.flip(call(session, "a"))
            yield* Effect.sleep("2 seconds")
            network.mode = "Serve"
            yield* Effect.sleep("20 seconds")
            yield* call(session, "b")
          })
        )
      )
      assert.deepStrictEqual(counts, {
        connects: 2,
        reconnects: 1,
        "failures reason=TransportFailed": 3,
        "unavailable reason=Timeout": 1
      })
    })
  )

  virtually("waiting goes up and down, and is 0 after interruptions, timeouts and the end", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const waiting = Effect.map(values, (all) => all.get("waiting") ?? 0)
      const start = yield* waiting
      const session = yield* ManagedSession.make({
        connect: network.connect,
        openTimeout: "5 seconds",
        reconnect: Schedule.spaced("1 hour")
      })
      yield* settle
      const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.fork(Effect.exit(call(session, "a")))
      )
      yield* settle
      assert.strictEqual((yield* waiting) - start, 10)
      yield* Effect.forEach(fibers.slice(0, 4), (fiber) => Fiber.interrupt(fiber))
      assert.strictEqual((yield* waiting) - start, 6)
      yield* Effect.sleep("6 seconds")
      assert.strictEqual((yield* waiting) - start, 0)
      const more = yield* Effect.fork(Effect.exit(call(session, "a")))
      yield* settle
      assert.strictEqual((yield* waiting) - start, 1)
      yield* session.close
      yield* Fiber.join(more)
      assert.strictEqual((yield* waiting) - start, 0)
    })
  )

  virtually("a graceful restart is no failure", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const counts = yield* changed(
        Effect.scoped(
          Effect.gen(function* () {
            const session = yield* ManagedSession.make({ connect: network.connect })
            yield* call(session, "a")
            yield* Effect.sleep("20 seconds")
            yield* Effect.fork(network.replace)
            yield* Effect.sleep("20 seconds")
            yield* call(session, "b")
          })
        )
      )
      assert.deepStrictEqual(counts, { connects: 2, reconnects: 1 })
    })
  )
})
