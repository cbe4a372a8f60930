import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, LogLevel, Schedule } from "effect"
import { ManagedSession, MuxadoError, type Transport } from "effect-muxado"
import { SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import { boom } from "../support/failing.js"
import { logged, quietly } from "../support/logs.js"
import { call, delays, echo, exchange, settle, statuses } from "../support/managed/calls.js"
import { virtually } from "../support/managed/virtually.js"
import { makeNetwork, type Mode } from "../support/managed/network.js"
import { wrong } from "../support/wrong.js"

const second = { reconnect: Schedule.spaced("1 second") }

const unavailable = (error: unknown): MuxadoError.SessionUnavailable => {
  assert.instanceOf(error, MuxadoError.SessionUnavailable)
  return error
}

describe("connect", () => {
  const kinds: Record<string, { connect: () => Effect.Effect<Transport.TransportService, unknown>; says: RegExp }> = {
    "fails with an error of its own": { connect: () => Effect.fail(boom), says: /boom/ },
    "fails with a text": { connect: () => Effect.fail("no such host"), says: /no such host/ },
    "fails with an error of two lines": { connect: () => Effect.fail(new Error("one\n  two")), says: /one two/ },
    "fails with nothing": { connect: () => Effect.fail(undefined), says: /could not be opened/ },
    dies: { connect: () => Effect.die(boom), says: /boom/ },
    "interrupts itself": { connect: () => Effect.interrupt, says: /interrupt/ },
    "gives undefined": { connect: () => Effect.succeed(wrong(undefined)), says: /transport.*undefined/ },
    "gives a string": { connect: () => Effect.succeed(wrong("tcp://")), says: /transport.*tcp/ },
    "gives an object without operations": { connect: () => Effect.succeed(wrong({ read: 1 })), says: /transport/ },
    "throws while it is made": {
      connect: () =>
        Effect.suspend(() => {
          throw boom
        }),
      says: /boom/
    }
  }
  for (const [name, { connect, says }] of Object.entries(kinds)) {
    virtually(`that ${name} is a failed attempt, and the next one follows after the delay`, () =>
      Effect.gen(function* () {
        let runs = 0
        const session = yield* ManagedSession.make({
          connect: Effect.suspend(() => {
            runs++
            return connect()
          }),
          ...second,
          openTimeout: "3500 millis"
        })
        const waiting = yield* Effect.fork(Effect.flip(call(session, "a")))
        yield* Effect.sleep("3500 millis")
        const error = unavailable(yield* Fiber.join(waiting))
        assert.strictEqual(error.reason, "Timeout")
        assert.strictEqual(runs, 4)
        assert.strictEqual(error.attempts, 4)
        assert.match(error.message, says)
        assert.notMatch(error.message, /\n/)
        assert.isTrue(MuxadoError.isMuxadoError(error.cause))
      }).pipe(quietly)
    )
  }

  virtually("that dies is logged as an error that says what to look at", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const session = yield* ManagedSession.make({ connect: Effect.die(boom), ...second })
        yield* settle
        yield* session.close
        const errors = lines.filter(({ level }) => level === LogLevel.Error)
        assert.strictEqual(errors.length, 1)
        assert.match(errors[0]?.message ?? "", /connect/)
      })
    )
  )

  virtually("that never completes is interrupted after connectTimeout", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const session = yield* ManagedSession.make({
        connect: Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => interrupted++))),
        connectTimeout: "2 seconds",
        ...second
      })
      yield* Effect.sleep("2001 millis")
      const status = yield* session.status.get
      assert.strictEqual(status._tag, "Backoff")
      assert.strictEqual(interrupted, 1)
      assert.match(status._tag === "Backoff" ? status.lastError.message : "", /2000 ms|2 s/)
    })
  )

  it.effect("that cannot be interrupted and never completes does not stop the attempts, nor close", () =>
    Effect.gen(function* () {
      let runs = 0
      const session = yield* ManagedSession.make({
        connect: Effect.uninterruptible(Effect.suspend(() => (runs++, Effect.never))),
        connectTimeout: "2 seconds",
        ...second
      })
      const waiting = yield* Effect.fork(Effect.flip(call(session, "a")))
      yield* Effect.sleep("15000 millis")
      assert.strictEqual(unavailable(yield* Fiber.join(waiting)).reason, "Timeout")
      assert.isAtLeast(runs, 3)
      const closing = yield* Effect.fork(session.close)
      yield* Effect.sleep("30000 millis")
      yield* Fiber.join(closing)
    }).pipe(Effect.scoped, VirtualTime.run)
  )

  virtually("that completes long after its limit: its transport is destroyed, and carries nothing", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      let slow = true
      const session = yield* ManagedSession.make({
        connect: Effect.suspend(() => {
          const delay = slow ? "8 seconds" : "0 millis"
          slow = false
          return Effect.uninterruptible(Effect.delay(network.connect, delay))
        }),
        connectTimeout: "2 seconds",
        ...second
      })
      yield* Effect.sleep("4000 millis")
      assert.strictEqual(yield* call(session, "a"), "a 0")
      yield* Effect.sleep("10000 millis")
      assert.strictEqual(network.dials, 2)
      assert.strictEqual(network.open, 1)
      assert.strictEqual(yield* call(session, "b"), "b 0")
    })
  )

  virtually("that gives a dead transport is a failed attempt", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      let dead = 3
      const session = yield* ManagedSession.make({
        connect: Effect.gen(function* () {
          if (dead-- <= 0) return yield* network.connect
          const link = yield* SimulatedTransport.makePair()
          yield* link.client.destroy
          return link.client
        }),
        ...second
      })
      const waiting = yield* Effect.fork(call(session, "a"))
      yield* Effect.sleep("4000 millis")
      assert.strictEqual(yield* Fiber.join(waiting), "a 0")
      assert.strictEqual(dead, -1)
    })
  )

  virtually("that gives the same transport again is a failed attempt that says so", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const transport = yield* network.connect
      const session = yield* ManagedSession.make({ connect: Effect.succeed(transport), ...second })
      assert.strictEqual(yield* call(session, "a"), "a 0")
      yield* network.kill
      yield* Effect.sleep("4000 millis")
      const error = yield* Effect.flip(call(session, "b"))
      assert.match(unavailable(error).message, /transport.*(once|one session|already|carried)/)
    }).pipe(quietly)
  )

  virtually("100 first calls make one dial", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, dial: "OnDemand" })
      yield* settle
      assert.strictEqual(network.dials, 0)
      const answers = yield* Effect.forEach(Array.from({ length: 100 }), (_, i) => call(session, `${i}`), {
        concurrency: "unbounded"
      })
      assert.strictEqual(answers.length, 100)
      assert.strictEqual(network.dials, 1)
    })
  )

  virtually("the scope of an attempt that failed is closed, in a bounded time", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Silent"
      yield* ManagedSession.make({ connect: network.connect, connectTimeout: "2 seconds", ...second })
      yield* Effect.sleep("30000 millis")
      assert.isAtLeast(network.dials, 9)
      assert.isAtMost(network.open, 4)
      network.mode = "Refuse"
      yield* Effect.sleep("30 seconds")
      assert.strictEqual(network.open, 0)
    })
  )
})

describe("a server that", () => {
  virtually("accepts and stays silent gets no call, and the error says that it did not answer", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Silent"
      const session = yield* ManagedSession.make({ connect: network.connect, openTimeout: "15 seconds", ...second })
      const waiting = yield* Effect.fork(Effect.flip(call(session, "a")))
      yield* Effect.sleep("15000 millis")
      const error = unavailable(yield* Fiber.join(waiting))
      assert.match(error.message, /heartbeat/)
      // a header of a heartbeat and its type, and no more than that
      const sent = (yield* network.connections[0]?.link.stats ?? Effect.die("no connection")).clientToServer.written
      assert.isAtMost(sent, 64)
    })
  )

  const growing: Record<string, { mode: Mode; options?: object }> = {
    "accepts and drops": { mode: "Drop" },
    "accepts and drops, without verify": { mode: "Drop", options: { verify: false } },
    "accepts and drops an untyped session": { mode: "Drop", options: { typed: false, heartbeat: false } },
    "sends GOAWAY and closes": { mode: "GoAway" },
    "sends GOAWAY and closes, without verify": { mode: "GoAway", options: { verify: false } },
    "sends GOAWAY and stays": { mode: "Leave" },
    "sends GOAWAY and stays, without verify": { mode: "Leave", options: { verify: false } }
  }
  for (const [name, { mode, options }] of Object.entries(growing)) {
    virtually(`${name} is dialed 20 times with growing delays`, () =>
      Effect.gen(function* () {
        const untyped = options !== undefined && "typed" in options ? options : {}
        const network = yield* makeNetwork({ handler: echo, session: untyped })
        network.mode = mode
        const session = yield* ManagedSession.make({
          connect: network.connect,
          ...options,
          reconnect: Schedule.exponential("100 millis", 1.3),
          moveGrace: "100 millis"
        })
        const seen = yield* statuses(session)
        yield* Effect.sleep("60 millis").pipe(Effect.repeat({ until: () => network.dials >= 20 }))
        assert.strictEqual(network.dials, 20, "dials")
        const gaps = network.times.slice(1).map((at, i) => at - (network.times[i] ?? 0))
        gaps.slice(1).forEach((gap, i) => assert.isAbove(gap, gaps[i] ?? 0, `gaps ${gaps.join(" ")}`))
        assert.isAbove(gaps.at(-1) ?? 0, 5000, `gaps ${gaps.join(" ")}`)
        assert.isAtMost(network.open, 2)
        assert.isAbove(seen.length, 19)
      })
    )
  }

  virtually("drops each connection is not dialed in a busy loop with the default schedule", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Drop"
      yield* ManagedSession.make({ connect: network.connect })
      yield* Effect.sleep("3600000 millis")
      // 30 s at most, 15 s on average
      assert.isBelow(network.dials, 360)
      assert.isAbove(network.dials, 120)
    })
  )

  virtually("sends EnhanceYourCalm is left alone for 5 s, each time", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Calm"
      const session = yield* ManagedSession.make({ connect: network.connect, reconnect: Schedule.spaced("20 millis") })
      const seen = yield* statuses(session)
      yield* Effect.sleep("40000 millis")
      const gaps = network.times.slice(1).map((at, i) => at - (network.times[i] ?? 0))
      assert.isAtLeast(gaps.length, 4)
      for (const gap of gaps) assert.isAtLeast(gap, 5000)
      for (const delay of delays(seen)) assert.isAtLeast(delay, 5000)
    })
  )

  virtually("sends EnhanceYourCalm to a session in use is left alone for 5 s", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, reconnect: Schedule.spaced("20 millis") })
      yield* call(session, "a")
      yield* Effect.sleep("1 minute")
      const server = network.connections[0]?.session
      if (server === undefined) return assert.fail("no connection")
      yield* Effect.fork(server.goAway({ code: 10, debug: "too often" }).pipe(Effect.zipRight(server.close)))
      yield* Effect.sleep("4500 millis")
      assert.strictEqual(network.dials, 1)
      yield* Effect.sleep("6 seconds")
      assert.strictEqual(network.dials, 2)
    })
  )

  virtually("speaks HTTP is named in the error", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Http"
      const session = yield* ManagedSession.make({ connect: network.connect, openTimeout: "500 millis", ...second })
      const waiting = yield* Effect.fork(Effect.flip(call(session, "a")))
      yield* Effect.sleep("600 millis")
      const error = unavailable(yield* Fiber.join(waiting))
      assert.match(error.message, /HTTP/)
      assert.notMatch(error.message, /\n/)
    })
  )
})

describe("healthyAfter", () => {
  const cycle = (lives: number) =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.exponential("1 second")
      })
      const seen = yield* statuses(session)
      for (let i = 0; i < 5; i++) {
        while ((yield* session.status.get)._tag !== "Connected") yield* Effect.sleep("100 millis")
        yield* Effect.sleep(lives)
        yield* network.kill
        yield* settle
      }
      return delays(seen).map((delay) => Math.round(delay / 1000))
    })

  virtually("a session that dies earlier is a failed attempt, and the delays grow", () =>
    Effect.map(cycle(9000), (delays) => assert.deepStrictEqual(delays, [1, 2, 4, 8, 16]))
  )

  virtually("a session that lives longer starts the delays anew", () =>
    Effect.map(cycle(11_000), (delays) => assert.deepStrictEqual(delays, [1, 1, 1, 1, 1]))
  )

  virtually("an open stream ends with the session, and reports that the peer may have processed it", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: () => Effect.never })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const running = yield* Effect.fork(Effect.exit(session.withStream((stream) => exchange(stream, "a"))))
      yield* settle
      yield* network.kill
      yield* settle
      const exit = yield* Fiber.join(running)
      assert.isTrue(Exit.isFailure(exit))
      const error = yield* Effect.flip(Effect.suspend(() => exit))
      assert.isTrue(MuxadoError.isMuxadoError(error) && error.processed === "maybe", String(error))
    })
  )
})
