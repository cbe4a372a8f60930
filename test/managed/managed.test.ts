import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Random, TestClock } from "effect"
import { ManagedSession, MuxadoError, MuxStream, type Session } from "effect-muxado"
import { VirtualTime } from "effect-muxado/testing"
import { makeNetwork } from "../support/managed/network.js"
import { isDone } from "../support/session/sessions.js"

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** Answers each stream with its request in capitals, and the number of the server. */
const echo = (session: Session.SessionService, server: number) =>
  session.serve((stream) =>
    Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, `${text(bytes)} ${server}`))
  )

const call = (session: ManagedSession.ManagedSessionService, request: string) =>
  session.withStream((stream) =>
    MuxStream.write(stream, request).pipe(
      Effect.zipRight(MuxStream.finish(stream)),
      Effect.zipRight(MuxStream.readAll(stream)),
      Effect.map(text)
    )
  )

describe("a managed session", () => {
  it.scoped("connects at once, and calls use the one session", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect })
      const answers = yield* Effect.forEach(["a", "b", "c"], (request) => call(session, request), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(answers, ["a 0", "b 0", "c 0"])
      assert.strictEqual(network.dials, 1)
      assert.strictEqual((yield* session.status.get)._tag, "Connected")
    })
  )

  it.scoped("connects again after the server was killed", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect })
      assert.strictEqual(yield* call(session, "a"), "a 0")
      yield* network.kill
      const next = yield* Effect.fork(call(session, "b"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(next), "b 1")
      assert.strictEqual(network.dials, 2)
    })
  )

  it.scoped("a call waits for openTimeout, and then names the last failure", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({ connect: network.connect, openTimeout: "3 seconds" })
      const waiting = yield* Effect.fork(Effect.exit(call(session, "a")))
      yield* TestClock.adjust("3 seconds")
      const exit = yield* Fiber.join(waiting)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.strictEqual(error instanceof MuxadoError.SessionUnavailable ? error.reason : error, "Timeout")
      assert.match(
        String(error),
        /The call was not sent: no session within 3000 ms \(\w+, \d+ attempts\); the last failure: The transport to simulated could not be opened: connect ECONNREFUSED$/
      )
    })
  )

  it.effect("a call does not wait when 12 servers leave one after the other, each 3 s after the last", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect })
      for (let server = 0; server < 12; server++) {
        const calling = yield* Effect.fork(call(session, "a"))
        yield* Effect.sleep("10 millis")
        assert.isTrue(yield* isDone(calling), `the call to server ${server}`)
        assert.strictEqual(yield* Fiber.join(calling), `a ${server}`)
        yield* Effect.sleep("3 seconds")
        yield* Effect.fork(network.replace)
        yield* Effect.sleep("10 millis")
      }
    }).pipe(Effect.scoped, VirtualTime.run, Effect.withRandom(Random.make(2)))
  )

  it.scoped("new calls go to a new session while the old one drains", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect })
      yield* TestClock.adjust("20 seconds")
      const stream = yield* session.open()
      yield* MuxStream.write(stream, "long")
      yield* Effect.yieldNow()
      yield* Effect.fork(network.replace)
      yield* TestClock.adjust("10 millis")
      assert.strictEqual(yield* call(session, "b"), "b 1")
      yield* MuxStream.finish(stream)
      assert.strictEqual(text(yield* MuxStream.readAll(stream)), "long 0")
    })
  )
})
