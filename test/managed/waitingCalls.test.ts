import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule } from "effect"
import { ManagedSession, MuxadoError } from "effect-muxado"
import { call, echo, settle } from "../support/managed/calls.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

const unavailable = (error: unknown): MuxadoError.SessionUnavailable => {
  assert.instanceOf(error, MuxadoError.SessionUnavailable)
  return error
}

const hour = { reconnect: Schedule.spaced("1 hour") }

describe("openTimeout", () => {
  virtually("as a duration: the call fails after it, and the error names state, attempts and cause in one line", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({ connect: network.connect, ...hour, openTimeout: "3 seconds" })
      const error = unavailable(yield* Effect.flip(call(session, "a")))
      assert.strictEqual(
        error.message,
        "The call was not sent: no session within 3000 ms (Backoff, 1 attempt); the last failure: The transport to simulated could not be opened: connect ECONNREFUSED"
      )
      assert.strictEqual(error.waited, 3000)
      assert.strictEqual(error.processed, "no")
      const others: ReadonlyArray<Effect.Effect<unknown, unknown>> = [session.ping, Effect.scoped(session.open())]
      for (const one of others) {
        assert.strictEqual(unavailable(yield* Effect.flip(one)).reason, "Timeout")
      }
    })
  )

  virtually("names no failure before the first one", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Hang"
      const session = yield* ManagedSession.make({ connect: network.connect, openTimeout: "3 seconds" })
      const error = unavailable(yield* Effect.flip(call(session, "a")))
      assert.strictEqual(error.message, "The call was not sent: no session within 3000 ms (Connecting, 1 attempt)")
    })
  )

  virtually("FailFast in each state", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        dial: "OnDemand",
        openTimeout: "FailFast",
        ...hour
      })
      yield* settle
      assert.strictEqual((yield* session.status.get)._tag, "Idle")
      // Idle: nothing has failed yet, so the call waits for the first attempt
      assert.strictEqual(yield* call(session, "a"), "a 0")
      // Connected
      assert.strictEqual(yield* call(session, "b"), "b 0")
      yield* Effect.sleep("1 minute")
      network.mode = "Refuse"
      yield* network.kill
      yield* settle
      const exit = yield* Effect.exit(call(session, "c"))
      assert.isTrue(Exit.isFailure(exit))
      yield* settle
      // Backoff
      const error = unavailable(yield* Effect.flip(call(session, "d")))
      assert.strictEqual(error.reason, "FailFast")
      assert.match(error.message, /Backoff, 1 attempt/)
      // Connecting, after a failure
      network.mode = "Hang"
      yield* session.reconnect
      yield* settle
      const connecting = unavailable(yield* Effect.flip(call(session, "e")))
      assert.strictEqual(connecting.reason, "FailFast")
      assert.strictEqual(connecting.state, "Connecting")
    })
  )

  virtually("FailFast at the first attempt: the call waits for its outcome", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: Effect.delay(network.connect, "1 second"),
        openTimeout: "FailFast",
        ...hour
      })
      const error = unavailable(yield* Effect.flip(call(session, "a")))
      assert.strictEqual(error.reason, "FailFast")
      assert.strictEqual(error.waited, 1000)
      assert.match(error.message, /ECONNREFUSED/)
    })
  )

  virtually("FailFast while the server is silent: the call ends when the attempt ends", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Hang"
      const session = yield* ManagedSession.make({ connect: network.connect, openTimeout: "FailFast", ...hour })
      const error = unavailable(yield* Effect.flip(call(session, "a")))
      assert.strictEqual(error.reason, "FailFast")
    })
  )

  virtually("FailFast while moving: the call goes to the new session or fails typed, and never hangs", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, openTimeout: "FailFast", ...hour })
      yield* call(session, "a")
      yield* Effect.sleep("1 minute")
      yield* Effect.fork(network.replace)
      yield* settle
      assert.strictEqual(yield* call(session, "b"), "b 1")
    })
  )
})

describe("maxWaiting", () => {
  const refused = (maxWaiting: number) =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.spaced("5 seconds"),
        maxWaiting
      })
      yield* settle
      return { network, session }
    })

  virtually("0: no call waits", () =>
    Effect.gen(function* () {
      const { network, session } = yield* refused(0)
      const error = unavailable(yield* Effect.flip(call(session, "a")))
      assert.strictEqual(error.reason, "TooManyWaiting")
      assert.strictEqual(error.waited, 0)
      network.mode = "Serve"
      yield* Effect.sleep("6 seconds")
      assert.strictEqual(yield* call(session, "a"), "a 0")
    })
  )

  virtually("1: the second call fails at once, and fits after the first was interrupted", () =>
    Effect.gen(function* () {
      const { network, session } = yield* refused(1)
      const first = yield* Effect.fork(call(session, "a"))
      yield* settle
      assert.strictEqual(unavailable(yield* Effect.flip(call(session, "b"))).reason, "TooManyWaiting")
      assert.strictEqual(unavailable(yield* Effect.flip(session.ping)).reason, "TooManyWaiting")
      yield* Fiber.interrupt(first)
      const third = yield* Effect.fork(call(session, "c"))
      yield* settle
      network.mode = "Serve"
      yield* session.reconnect
      assert.strictEqual(yield* Fiber.join(third), "c 0")
      assert.strictEqual((yield* session.stats).opened, 1)
    })
  )

  virtually("1,000 calls that are interrupted in any order leave no place taken", () =>
    Effect.gen(function* () {
      const { network, session } = yield* refused(100)
      for (let round = 0; round < 10; round++) {
        const fibers = yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.fork(call(session, "a")))
        yield* Effect.yieldNow()
        yield* Effect.forEach(
          fibers.sort(() => (round % 2) - 0.5),
          (fiber) => Fiber.interrupt(fiber),
          { discard: true }
        )
      }
      const fibers = yield* Effect.forEach(Array.from({ length: 100 }), (_, i) => Effect.fork(call(session, `${i}`)))
      yield* settle
      assert.strictEqual(unavailable(yield* Effect.flip(call(session, "b"))).reason, "TooManyWaiting")
      network.mode = "Serve"
      yield* session.reconnect
      assert.strictEqual((yield* Fiber.join(Fiber.all(fibers))).length, 100)
    })
  )

  virtually("calls go to the server in the order in which they came", () =>
    Effect.gen(function* () {
      const { network, session } = yield* refused(100)
      const order: Array<number> = []
      const fibers = yield* Effect.forEach(Array.from({ length: 50 }), (_, i) =>
        Effect.fork(session.withStream(() => Effect.sync(() => order.push(i))))
      )
      yield* settle
      network.mode = "Serve"
      yield* session.reconnect
      yield* Fiber.join(Fiber.all(fibers))
      assert.deepStrictEqual(
        order,
        Array.from({ length: 50 }, (_, i) => i)
      )
    })
  )

  virtually("a waiting call that times out at the moment of the connection leaves no stream open", () =>
    Effect.gen(function* () {
      for (const delay of [4997, 4998, 4999, 5000, 5001, 5002]) {
        const { network, session } = yield* refused(100)
        network.mode = "Serve"
        const exit = yield* Effect.exit(call(session, "a").pipe(Effect.timeoutOption(delay)))
        assert.isTrue(Exit.isSuccess(exit))
        yield* Effect.sleep("1 second")
        assert.strictEqual((yield* session.stats).outboundStreams, 0)
        assert.strictEqual(yield* call(session, "b"), "b 0")
      }
    })
  )
})
