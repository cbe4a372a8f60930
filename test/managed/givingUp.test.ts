import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Stream } from "effect"
import { ManagedSession, MuxadoError } from "effect-muxado"
import { boom } from "../support/failing.js"
import { quietly } from "../support/logs.js"
import { call, delays, echo, settle, statuses, tags } from "../support/managed/calls.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"
import { wrong } from "../support/wrong.js"

const gaveUp = (error: unknown): MuxadoError.SessionUnavailable => {
  assert.instanceOf(error, MuxadoError.SessionUnavailable)
  assert.strictEqual(error.reason, "GaveUp", error.message)
  return error
}

describe("a schedule of reconnects", () => {
  virtually("that ends closes the managed session: waiting and later calls fail at once", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.spaced("1 second").pipe(Schedule.intersect(Schedule.recurs(2)))
      })
      const seen = yield* statuses(session)
      const events = yield* Effect.fork(Stream.runCount(session.events))
      const waiting = yield* Effect.fork(Effect.flip(call(session, "a")))
      const accepting = yield* Effect.fork(Effect.flip(Effect.scoped(session.accept)))
      const serving = yield* Effect.fork(session.serve(() => Effect.void))
      yield* Effect.sleep("2100 millis")
      assert.strictEqual(network.dials, 3)
      const error = gaveUp(yield* Fiber.join(waiting))
      assert.match(error.message, /3 attempts/)
      assert.match(error.message, /ECONNREFUSED/)
      gaveUp(yield* Effect.flip(call(session, "b")))
      gaveUp(yield* Effect.flip(session.ping))
      const reason = yield* session.closed
      assert.match(gaveUp(reason).cause?.message ?? "", /ECONNREFUSED/)
      gaveUp(yield* Fiber.join(accepting))
      yield* Fiber.join(serving)
      assert.strictEqual(yield* Fiber.join(events), 4)
      assert.deepStrictEqual(yield* session.status.get, { _tag: "Closed", reason })
      assert.strictEqual(tags(seen).at(-1), "Closed")
      yield* session.reconnect
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.dials, 3)
    })
  )

  virtually("without delay leaves 20 ms between attempts", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      yield* ManagedSession.make({ connect: network.connect, reconnect: Schedule.forever })
      yield* Effect.sleep("1 second")
      assert.isAtMost(network.dials, 51)
      assert.isAtLeast(network.dials, 40)
    })
  )

  virtually("that dies does not leave the calls waiting", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.recurs(5).pipe(
          Schedule.map(() => {
            throw boom
          })
        )
      })
      const exit = yield* Effect.exit(call(session, "a"))
      assert.isTrue(Exit.isFailure(exit))
      yield* session.closed
      gaveUp(yield* Effect.flip(call(session, "b")))
    }).pipe(quietly)
  )

  virtually("that dies as an effect does not leave the calls waiting", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.recurs(5).pipe(Schedule.mapEffect(() => Effect.die(boom)))
      })
      const exit = yield* Effect.exit(call(session, "a"))
      assert.isTrue(Exit.isFailure(exit))
      yield* session.closed
    }).pipe(quietly)
  )

  virtually("with a delay of a year is ended by `reconnect`", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.spaced("365 days")
      })
      yield* settle
      assert.strictEqual((yield* session.status.get)._tag, "Backoff")
      network.mode = "Serve"
      yield* session.reconnect
      yield* settle
      assert.strictEqual(yield* call(session, "a"), "a 0")
      assert.strictEqual(network.dials, 2)
    })
  )

  virtually("run `reconnect` 100 times in each state: one dial", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, dial: "OnDemand" })
      yield* Effect.repeatN(session.reconnect, 99)
      yield* settle
      assert.strictEqual(network.dials, 1)
      yield* Effect.repeatN(session.reconnect, 99)
      yield* settle
      assert.strictEqual(network.dials, 1)
      assert.strictEqual(yield* call(session, "a"), "a 0")
    })
  )

  virtually("gets the error of the last attempt as its input", () =>
    Effect.gen(function* () {
      const inputs: Array<string> = []
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.spaced("1 second").pipe(
          Schedule.tapInput((error: MuxadoError.SessionFailure) => Effect.sync(() => inputs.push(error._tag)))
        )
      })
      yield* Effect.sleep("500 millis")
      network.mode = "Serve"
      yield* Effect.sleep("1 minute")
      yield* network.kill
      yield* Effect.sleep("500 millis")
      assert.deepStrictEqual(inputs, ["TransportFailed", "TransportFailed"])
    })
  )
})

describe("isFinal", () => {
  virtually("true: the status is Failed, calls fail at once, and `reconnect` starts again", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({ connect: network.connect, isFinal: () => true })
      const seen = yield* statuses(session)
      const waiting = yield* Effect.fork(Effect.flip(call(session, "a")))
      yield* settle
      const error = gaveUp(yield* Fiber.join(waiting))
      assert.match(error.message, /Failed, 1 attempt\)/)
      assert.match(error.message, /ECONNREFUSED/)
      gaveUp(yield* Effect.flip(call(session, "b")))
      yield* Effect.sleep("1 hour")
      assert.strictEqual(network.dials, 1)
      const accepting = yield* Effect.fork(Effect.exit(Effect.scoped(session.accept)))
      network.mode = "Serve"
      yield* session.reconnect
      yield* settle
      assert.strictEqual(yield* call(session, "c"), "c 0")
      assert.deepStrictEqual(tags(seen), ["Connecting", "Failed", "Connecting", "Connected"])
      yield* Fiber.interrupt(accepting)
    })
  )

  virtually("true for the loss of a session in use: the status is Failed", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, isFinal: () => true })
      assert.strictEqual(yield* call(session, "a"), "a 0")
      yield* network.kill
      yield* settle
      assert.strictEqual((yield* session.status.get)._tag, "Failed")
      gaveUp(yield* Effect.flip(call(session, "b")))
    })
  )

  virtually("gets the error of connect itself as the cause", () =>
    Effect.gen(function* () {
      const causes: Array<unknown> = []
      yield* ManagedSession.make({
        connect: Effect.fail(boom),
        isFinal: (error) => {
          causes.push(error._tag === "TransportFailed" ? error.cause : error)
          return true
        }
      })
      yield* settle
      assert.deepStrictEqual(causes, [boom])
    })
  )

  for (const [name, isFinal] of Object.entries({
    throws: () => {
      throw boom
    },
    "gives no boolean": () => wrong<boolean>("no")
  })) {
    virtually(`that ${name} does not stop the reconnects, and does not leave calls waiting`, () =>
      Effect.gen(function* () {
        const network = yield* makeNetwork({ handler: echo })
        network.mode = "Refuse"
        const session = yield* ManagedSession.make({
          connect: network.connect,
          isFinal,
          reconnect: Schedule.spaced("1 second")
        })
        yield* Effect.sleep("1500 millis")
        network.mode = "Serve"
        assert.strictEqual(yield* call(session, "a"), "a 0")
      }).pipe(quietly)
    )
  }

  virtually("delays of the default schedule stay below 30 s and differ", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({ connect: network.connect })
      const seen = yield* statuses(session)
      yield* Effect.sleep("1 hour")
      const all = delays(seen)
      assert.isAtMost(Math.max(...all), 30_000)
      assert.isAtLeast(Math.min(...all), 20)
      assert.isAbove(new Set(all.map(Math.round)).size, all.length / 2)
    })
  )
})
