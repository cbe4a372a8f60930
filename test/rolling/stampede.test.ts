/** 1,000 clients that lose their server at the same moment, in simulated time. `npm run rolling` does it with sockets. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Logger, LogLevel, Random, Schedule } from "effect"
import { ManagedSession } from "effect-muxado"
import { VirtualTime } from "effect-muxado/testing"
import { expectedShares, histogram, mostInOneSlot } from "../../tools/rolling/spread.js"
import { makeNetwork } from "../support/managed/network.js"

const OUTAGE = 5000

/** The first attempts after the outage, in milliseconds after it, and the number of clients that are connected at last. */
const stampede = (size: number, options: ManagedSession.ManagingOptions, seed: number) =>
  Effect.gen(function* () {
    const quiet = { heartbeat: false } as const
    const network = yield* makeNetwork({
      handler: (session) => session.serve((stream) => stream.finish),
      session: quiet
    })
    const first: Array<number> = []
    let backAt = Infinity
    const client = Effect.suspend(() => {
      let isBack = false
      const dialled = Effect.map(Clock.currentTimeMillis, (now) => {
        if (now < backAt || isBack) return
        isBack = true
        first.push(now - backAt)
      })
      const connect = Effect.zipRight(dialled, network.connect)
      return ManagedSession.make({ ...quiet, ...options, healthyAfter: "1 second", connect })
    })
    const clients = yield* Effect.replicateEffect(client, size)
    yield* Effect.sleep("2 seconds")
    network.mode = "Refuse"
    yield* network.kill
    yield* Effect.sleep(OUTAGE)
    network.mode = "Serve"
    backAt = yield* Clock.currentTimeMillis
    // the longest delay is 30 s
    yield* Effect.sleep("31 seconds")
    const states = yield* Effect.forEach(clients, ({ status }) => status.get)
    return { first, connected: states.filter(({ _tag }) => _tag === "Connected").length }
  }).pipe(
    Effect.scoped,
    VirtualTime.run,
    Effect.withRandom(Random.make(seed)),
    Logger.withMinimumLogLevel(LogLevel.None)
  )

describe("clients that lose their server at the same moment, and get it back after 5 s", () => {
  it.effect(
    "come back spread over seconds, no 100 ms with more of 1,000 than full jitter allows, and all are connected",
    () =>
      Effect.gen(function* () {
        const { connected, first } = yield* stampede(1000, {}, 20261129)
        assert.deepStrictEqual([first.length, connected], [1000, 1000])
        assert.isAtMost(Math.max(...histogram(first)), mostInOneSlot(1000, OUTAGE))
      }),
    120_000
  )

  it.effect(
    "come back in too few slots if the delays have a jitter of 10 % or none",
    () =>
      Effect.gen(function* () {
        const exponential = Schedule.exponential("100 millis")
        const limit = mostInOneSlot(200, OUTAGE)
        for (const reconnect of [exponential, Schedule.jitteredWith(exponential, { min: 0.9, max: 1.1 })]) {
          const { first } = yield* stampede(200, { reconnect }, 20261129)
          assert.isAbove(Math.max(...histogram(first)), limit)
        }
      }),
    120_000
  )
})

describe("the expected spread", () => {
  it("is 1 in all, falls, and ends with the longest delay that an outage leaves", () => {
    for (const outage of [1000, 5000, 20_000]) {
      const shares = expectedShares(outage)
      assert.closeTo(
        shares.reduce((a, b) => a + b, 0),
        1,
        1e-6
      )
      assert.strictEqual(Math.max(...shares), shares[0])
    }
    // without an outage, the first delay is even over the first slot
    assert.closeTo(expectedShares(10)[0] ?? 0, 1, 0.2)
  })
})
