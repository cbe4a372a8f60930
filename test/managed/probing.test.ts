import { assert, describe } from "@effect/vitest"
import { type Clock, Effect, Schedule } from "effect"
import { ManagedSession } from "effect-muxado"
import { call, echo, recorded, settle } from "../support/managed/calls.js"
import { makeNetwork, type Network } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

const rarely = {
  heartbeat: { interval: "1 hour", tolerance: "1 hour" },
  reconnect: Schedule.spaced("1 second"),
  probeAfter: "30 seconds",
  probeTimeout: "2 seconds"
} as const

const sent = (network: Network) =>
  Effect.map(
    network.connections[0]?.link.stats ?? Effect.die("no connection"),
    ({ clientToServer }) => clientToServer.written
  )

describe("a probe", () => {
  for (const direction of ["both", "clientToServer", "serverToClient"] as const) {
    virtually(`after silence with a dead peer (${direction}): the next call goes to a new session`, () =>
      Effect.gen(function* () {
        const network = yield* makeNetwork({ handler: echo, session: { heartbeat: rarely.heartbeat } })
        const session = yield* ManagedSession.make({ connect: network.connect, ...rarely })
        const events = yield* recorded(session)
        yield* call(session, "a")
        const link = network.connections[0]?.link
        yield* direction === "both"
          ? (link?.blackHole ?? Effect.void)
          : (link?.inject({ [direction]: { blackHole: true } }) ?? Effect.void)
        yield* Effect.sleep("40 seconds")
        network.server++
        assert.strictEqual(yield* call(session, "b"), "b 1")
        assert.strictEqual(network.dials, 2)
        assert.isTrue(events.some(({ _tag }) => _tag === "ProbeFailed"))
        yield* Effect.sleep("1 minute")
        assert.strictEqual(network.open, 1)
      })
    )
  }

  virtually("with a live peer is one heartbeat, which 100 calls share", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({
        handler: echo,
        session: { heartbeat: rarely.heartbeat },
        link: { latency: 20 }
      })
      const session = yield* ManagedSession.make({ connect: network.connect, ...rarely })
      const calls = (count: number) =>
        Effect.gen(function* () {
          const before = yield* sent(network)
          yield* Effect.forEach(Array.from({ length: count }), () => call(session, "a"), { concurrency: "unbounded" })
          yield* settle
          return (yield* sent(network)) - before
        })
      yield* settle
      yield* calls(1)
      const one = yield* calls(1)
      const hundred = yield* calls(100)
      yield* Effect.sleep("40 seconds")
      const probed = yield* calls(100)
      const probe = probed - hundred
      assert.isAbove(probe, 0)
      assert.isBelow(probe, 100, `one call ${one}, 100 calls ${hundred}, with the probe ${probed}`)
      assert.strictEqual(network.dials, 1)
    })
  )

  virtually("does not happen on an untyped session, which is not verified either", () =>
    Effect.gen(function* () {
      const untyped = { typed: false, heartbeat: false } as const
      const network = yield* makeNetwork({ handler: echo, session: untyped })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.spaced("1 second"),
        ...untyped
      })
      yield* settle
      assert.strictEqual(yield* sent(network), 0)
      assert.strictEqual((yield* session.status.get)._tag, "Connected")
      assert.strictEqual(yield* call(session, "a"), "a 0")
      yield* Effect.sleep("1 hour")
      assert.strictEqual(yield* call(session, "b"), "b 0")
      assert.strictEqual(network.dials, 1)
      assert.strictEqual((yield* Effect.flip(session.ping))._tag, "InvalidOptions")
    })
  )

  virtually("of a peer that answers too late closes the session once, and calls go on", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({
        handler: echo,
        session: { heartbeat: rarely.heartbeat },
        link: { latency: 1500 }
      })
      const session = yield* ManagedSession.make({ connect: network.connect, ...rarely })
      const events = yield* recorded(session)
      yield* call(session, "a")
      yield* Effect.sleep("40 seconds")
      yield* Effect.forEach(Array.from({ length: 20 }), () => call(session, "b"), { concurrency: "unbounded" })
      assert.strictEqual(events.filter(({ _tag }) => _tag === "ProbeFailed").length, 1)
      assert.strictEqual(network.dials, 2)
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.open, 1)
    })
  )

  virtually("of a dead peer among three connections costs only this one", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo, session: { heartbeat: rarely.heartbeat } })
      const session = yield* ManagedSession.make({ connect: network.connect, size: 3, ...rarely })
      yield* Effect.sleep("20 seconds")
      yield* network.connections[1]?.link.blackHole ?? Effect.void
      yield* Effect.sleep("40 seconds")
      const answers = yield* Effect.forEach(Array.from({ length: 60 }), () => call(session, "b"), {
        concurrency: "unbounded"
      })
      assert.isTrue(answers.every((answer) => answer === "b 0"))
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.dials, 4)
      assert.strictEqual(network.open, 3)
    })
  )

  /** The clock of the test, whose wall time runs ahead of its monotonic time by `ahead()`. */
  const clockAhead = (ahead: () => number) =>
    Effect.map(Effect.clock, (clock): Clock.Clock => {
      const wall = () => clock.unsafeCurrentTimeMillis() + ahead()
      return Object.create(clock, {
        unsafeCurrentTimeMillis: { value: wall },
        currentTimeMillis: { value: Effect.sync(wall) }
      }) as Clock.Clock
    })

  const jump = (by: number, isDead: boolean) =>
    Effect.gen(function* () {
      let ahead = 0
      const network = yield* makeNetwork({ handler: echo, session: { heartbeat: rarely.heartbeat } })
      const clock = yield* clockAhead(() => ahead)
      const session = yield* ManagedSession.make({ connect: network.connect, ...rarely }).pipe(Effect.withClock(clock))
      yield* call(session, "a")
      yield* Effect.sleep("20 seconds")
      yield* call(session, "a")
      if (isDead) yield* network.connections[0]?.link.blackHole ?? Effect.void
      const before = yield* sent(network)
      ahead = by
      network.server++
      const answers = [yield* call(session, "b"), yield* call(session, "b")]
      yield* settle
      return { answers, network, bytes: (yield* sent(network)) - before }
    })

  virtually("after the wall clock has jumped ahead (suspend), of a dead peer: the call goes to a new session", () =>
    Effect.gen(function* () {
      const { answers, network } = yield* jump(3_600_000, true)
      assert.deepStrictEqual(answers, ["b 1", "b 1"])
      assert.strictEqual(network.dials, 2)
    })
  )

  virtually("after the wall clock has jumped ahead, of a live peer: one heartbeat", () =>
    Effect.gen(function* () {
      const still = yield* jump(0, false)
      const suspended = yield* jump(3_600_000, false)
      const back = yield* jump(-3_600_000, false)
      assert.deepStrictEqual(suspended.answers, ["b 0", "b 0"])
      assert.strictEqual(suspended.network.dials, 1)
      assert.isAbove(suspended.bytes, still.bytes)
      assert.isBelow(suspended.bytes, still.bytes + 50)
      assert.strictEqual(back.bytes, still.bytes)
    })
  )
})
