import { assert, describe, it } from "@effect/vitest"
import { MuxadoError } from "effect-muxado"
import { Census, SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { OnConnection } from "../../src/internal/server/connections.js"
import { runConnections } from "../../src/internal/server/connections.js"
import type { ServerOptions } from "../../src/SessionOptions.js"
import { resolveServer } from "../../src/ResolvedOptions.js"
import { call, echoWhole } from "../support/session/sessionTest.js"
import { isDone, sessionOver } from "../support/session/sessions.js"

const virtually = <A, E>(body: Effect.Effect<A, E, Scope.Scope>) =>
  body.pipe(Effect.scoped, VirtualTime.run, Census.leavesNothing)

/** A server over simulated links. Handlers answer when `release` is called; `stopped` tells when it stops listening. */
const makeServer = (options: ServerOptions) =>
  Effect.gen(function* () {
    const resolved = Either.getOrThrow(resolveServer({ heartbeat: false, ...options }))
    const gate = yield* Deferred.make<void>()
    const stopped = yield* Deferred.make<void>()
    const failed = yield* Deferred.make<never, MuxadoError.ServerFailed>()
    let onConnection: OnConnection | undefined
    const running = yield* Effect.fork(
      runConnections(
        resolved,
        (session) => session.serve((stream) => Effect.zipRight(Deferred.await(gate), echoWhole(stream))),
        (given) => {
          onConnection = given
          return Effect.ensuring(Deferred.await(failed), Deferred.succeed(stopped, undefined))
        }
      )
    )
    yield* Effect.sleep(1)
    /** A client whose connection the server can use after `readyIn`. */
    const connect = (readyIn = 0) =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        onConnection?.(Effect.as(Effect.sleep(readyIn), link.server))
        return yield* sessionOver("client", link.client, { heartbeat: false })
      })
    return {
      connect,
      running,
      release: Deferred.succeed(gate, undefined),
      stopped: Deferred.isDone(stopped),
      fail: Deferred.fail(failed, new MuxadoError.ServerFailed({ reason: "Stopped", detail: "its scope has closed" }))
    }
  })

describe("interrupting run", () => {
  it.effect("announces the drain on all sessions at once, and each call in flight ends well", () =>
    Effect.gen(function* () {
      const server = yield* makeServer({ drainTimeout: "1 hour" })
      const clients = yield* Effect.replicateEffect(server.connect(), 50)
      const calls = yield* Effect.forEach(clients, (client) => Effect.fork(call(client)))
      yield* Effect.sleep(1)
      const stopping = yield* Effect.fork(Fiber.interrupt(server.running))
      yield* Effect.sleep(1)
      assert.isTrue(yield* server.stopped)
      for (const client of clients) {
        const told = yield* Effect.fork(client.draining)
        yield* Effect.sleep(1)
        assert.isTrue(yield* isDone(told))
        assert.containSubset(yield* Fiber.join(told), { _tag: "RemoteGoneAway", code: 0, debug: "draining" })
      }
      yield* server.release
      yield* Fiber.join(stopping)
      for (const calling of calls) assert.strictEqual(yield* Fiber.join(calling), "hello")
    }).pipe(virtually)
  )

  it.effect("resets what is left after drainTimeout with StreamCancelled", () =>
    Effect.gen(function* () {
      const server = yield* makeServer({ drainTimeout: "10 seconds" })
      const calling = yield* Effect.fork(Effect.flip(call(yield* server.connect())))
      yield* Effect.sleep(1)
      const stopping = yield* Effect.fork(Fiber.interrupt(server.running))
      yield* Effect.sleep("9998 millis")
      assert.isFalse(yield* isDone(calling))
      assert.containSubset(yield* Fiber.join(calling), { _tag: "StreamReset", code: 6, initiator: "Remote" })
      yield* Fiber.join(stopping)
    }).pipe(virtually)
  )

  it.effect("drains a connection at once that becomes ready during the drain", () =>
    Effect.gen(function* () {
      const server = yield* makeServer({ drainTimeout: "1 hour" })
      const busy = yield* Effect.fork(call(yield* server.connect()))
      const late = yield* server.connect(1000)
      const calling = yield* Effect.fork(Effect.flip(call(late)))
      yield* Effect.sleep(1)
      const stopping = yield* Effect.fork(Fiber.interrupt(server.running))
      yield* Effect.sleep("10 seconds")
      assert.containSubset(yield* Fiber.join(calling), { processed: "no" })
      assert.strictEqual((yield* late.closed)._tag, "RemoteGoneAway")
      assert.isFalse(yield* isDone(stopping))
      yield* server.release
      assert.strictEqual(yield* Fiber.join(busy), "hello")
      yield* Fiber.join(stopping)
    }).pipe(virtually)
  )
})

describe("stopDelay", () => {
  it.effect("lets the server accept and serve connections for this time, and drains it then", () =>
    Effect.gen(function* () {
      const server = yield* makeServer({ stopDelay: "10 seconds", drainTimeout: "1 hour" })
      const early = yield* server.connect()
      const stopping = yield* Effect.fork(Fiber.interrupt(server.running))
      yield* Effect.sleep("9 seconds")
      const late = yield* server.connect()
      const calls = yield* Effect.forEach([early, late], (client) => Effect.fork(call(client)))
      const told = yield* Effect.forEach([early, late], (client) => Effect.fork(client.draining))
      yield* Effect.sleep("998 millis")
      assert.isFalse(yield* server.stopped)
      for (const fiber of told) assert.isFalse(yield* isDone(fiber))
      yield* Effect.sleep(3)
      assert.isTrue(yield* server.stopped)
      for (const fiber of told) assert.isTrue(yield* isDone(fiber))
      yield* server.release
      yield* Fiber.join(stopping)
      for (const calling of calls) assert.strictEqual(yield* Fiber.join(calling), "hello")
    }).pipe(virtually)
  )

  it.effect("ends early if the server stops listening by itself", () =>
    Effect.gen(function* () {
      const server = yield* makeServer({ stopDelay: "1 hour" })
      const stopping = yield* Effect.fork(Fiber.interrupt(server.running))
      yield* Effect.sleep(1)
      assert.isFalse(yield* isDone(stopping))
      yield* server.fail
      yield* Effect.sleep(1)
      assert.isTrue(yield* isDone(stopping))
    }).pipe(virtually)
  )

  it.effect("does not delay a server that ends by itself: run fails at once", () =>
    Effect.gen(function* () {
      const server = yield* makeServer({ stopDelay: "1 hour" })
      yield* server.fail
      yield* Effect.sleep(1)
      const exit = yield* Fiber.await(server.running)
      assert(Exit.isFailure(exit))
      assert.strictEqual((yield* Effect.flip(exit))._tag, "ServerFailed")
    }).pipe(virtually)
  )

  it("is a duration of 0 or more, 0 by default", () => {
    const lines = (stopDelay: ServerOptions["stopDelay"]) =>
      Either.match(resolveServer({ stopDelay }), { onLeft: ({ detail }) => detail, onRight: () => "" })
    for (const right of [undefined, 0, "0 seconds", 5, "1 minute"] as const) assert.strictEqual(lines(right), "")
    for (const wrong of [-1, Infinity, Number.NaN]) {
      assert.match(lines(wrong), /^stopDelay: must be a finite duration such as "10 seconds", 0 or a number of/)
    }
  })
})
