import { assert, describe, it } from "@effect/vitest"
import { FrameLog, FrameReader } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { call, echoWhole, quick, sessionTest } from "../support/session/sessionTest.js"
import { passTimeUntil, scenario, sessionOver, settle } from "../support/session/sessions.js"

/** `server` has one call in flight, which ends when `release` is called. */
const inFlight = ({ client, server }: Parameters<Parameters<typeof sessionTest>[1]>[0]) =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    yield* Effect.fork(server.serve((stream) => Effect.zipRight(Deferred.await(gate), echoWhole(stream))))
    const calling = yield* Effect.fork(Effect.exit(call(client)))
    yield* Effect.sleep(10)
    return { calling, release: Deferred.succeed(gate, undefined) }
  })

const elapsed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    yield* effect
    return (yield* Clock.currentTimeMillis) - began
  })

describe("a drain with streams in flight", () => {
  sessionTest("tells the peer at its beginning, and the peer's calls in flight end well", (sessions) =>
    Effect.gen(function* () {
      const { client, server } = sessions
      const { calling, release } = yield* inFlight(sessions)
      yield* Effect.fork(server.drain("1 hour"))
      const told = yield* client.draining
      assert.containSubset(told, { _tag: "RemoteGoneAway", code: 0, debug: "draining", initiator: "Remote" })
      const refused = yield* Effect.flip(client.open())
      assert.containSubset(refused, { _tag: "RemoteGoneAway", processed: "no" })
      assert.isNull(calling.unsafePoll())
      yield* release
      assert.deepStrictEqual(yield* Fiber.join(calling), Exit.succeed("hello"))
      assert.containSubset(yield* client.closed, { _tag: "RemoteGoneAway", code: 0, debug: "draining" })
      assert.containSubset(yield* server.closed, { _tag: "SessionClosed", code: undefined, debug: undefined })
    })
  )

  sessionTest(
    "tells the peer nothing before its end without announceDrain",
    (sessions) =>
      Effect.gen(function* () {
        const { client, server } = sessions
        const { calling, release } = yield* inFlight(sessions)
        const told = yield* Effect.fork(client.draining)
        yield* Effect.fork(server.drain("1 hour"))
        yield* Effect.sleep("1 minute")
        assert.isNull(told.unsafePoll())
        const crossing = yield* Effect.flip(call(client))
        assert.containSubset(crossing, { _tag: "StreamReset", code: 5, processed: "no" })
        yield* release
        assert.deepStrictEqual(yield* Fiber.join(calling), Exit.succeed("hello"))
        assert.containSubset(yield* Fiber.join(told), { _tag: "RemoteGoneAway", code: 0, debug: "" })
      }),
    { both: { ...quick, announceDrain: false } }
  )

  sessionTest("refuses the streams that cross it, and the peer may open them elsewhere", (sessions) =>
    Effect.gen(function* () {
      const { client, server } = sessions
      const { release } = yield* inFlight(sessions)
      yield* Effect.fork(server.drain("1 hour"))
      // in the same step: the GOAWAY has not arrived
      const crossing = yield* Effect.flip(call(client))
      assert.strictEqual(crossing.processed, "no")
      yield* release
    })
  )

  for (const reason of [
    { code: 1000, debug: "moving" },
    { code: 0, debug: "moving" },
    { code: 1000, debug: "" }
  ]) {
    sessionTest(`closeWith ${reason.code} "${reason.debug}" during it ends it at once, with that reason`, (sessions) =>
      Effect.gen(function* () {
        const { client, server } = sessions
        const { calling } = yield* inFlight(sessions)
        const draining = yield* Effect.fork(server.drain("1 hour"))
        yield* client.draining
        assert.isBelow(yield* elapsed(server.closeWith(reason)), 1000)
        yield* Fiber.join(draining)
        assert.containSubset(yield* client.closed, { _tag: "RemoteGoneAway", ...reason })
        assert.containSubset(yield* server.closed, { _tag: "SessionClosed", ...reason })
        assert.isTrue(Exit.isFailure(yield* Fiber.join(calling)))
      })
    )
  }

  sessionTest("keeps the reason of an earlier goAway, and of a later one", (sessions) =>
    Effect.gen(function* () {
      const { client, server } = sessions
      const { calling, release } = yield* inFlight(sessions)
      yield* server.goAway({ code: 1000, debug: "moving" })
      yield* Effect.fork(server.drain("1 hour"))
      assert.containSubset(yield* client.draining, { _tag: "RemoteGoneAway", code: 1000, debug: "moving" })
      yield* server.goAway({ code: 1001, debug: "later" })
      yield* release
      assert.deepStrictEqual(yield* Fiber.join(calling), Exit.succeed("hello"))
      assert.containSubset(yield* client.closed, { _tag: "RemoteGoneAway", code: 1000, debug: "moving" })
      assert.containSubset(yield* server.closed, { _tag: "SessionClosed", code: 1000, debug: "moving" })
    })
  )

  sessionTest("takes the reason of a goAway that comes during it", (sessions) =>
    Effect.gen(function* () {
      const { client, server } = sessions
      const { calling, release } = yield* inFlight(sessions)
      yield* Effect.fork(server.drain("1 hour"))
      yield* client.draining
      yield* server.goAway({ code: 1000, debug: "moving" })
      yield* release
      assert.deepStrictEqual(yield* Fiber.join(calling), Exit.succeed("hello"))
      for (const session of [client, server]) {
        assert.containSubset(yield* session.closed, { code: 1000, debug: "moving" })
      }
    })
  )

  sessionTest("a second drain waits for the same streams, and the shorter grace of the two ends them", (sessions) =>
    Effect.gen(function* () {
      const { client, server } = sessions
      const { calling } = yield* inFlight(sessions)
      const first = yield* Effect.fork(server.drain("1 hour"))
      yield* client.draining
      const took = yield* elapsed(server.drain("2 seconds"))
      assert.isAtLeast(took, 2000)
      assert.isBelow(took, 4000)
      yield* Fiber.join(first)
      const exit = yield* Fiber.join(calling)
      assert.containSubset(yield* Effect.flip(exit), { _tag: "StreamReset", code: 6, initiator: "Remote" })
    })
  )

  sessionTest("both sides may drain at once: both calls in flight end well", ({ client, server }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      for (const session of [client, server]) {
        yield* Effect.fork(session.serve((stream) => Effect.zipRight(Deferred.await(gate), echoWhole(stream))))
      }
      const calls = yield* Effect.forEach([client, server], (session) => Effect.fork(call(session)))
      yield* Effect.sleep(10)
      const drains = yield* Effect.forEach([client, server], (session) => Effect.fork(session.drain("1 hour")))
      yield* Effect.sleep("1 minute")
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Fiber.join(Fiber.all(calls)), ["hello", "hello"])
      yield* Fiber.join(Fiber.all(drains))
    })
  )
})

it.effect("the end of the session's scope announces its drain", () =>
  Effect.gen(function* () {
    const pair = yield* SimulatedTransport.makePair()
    const inner = yield* Scope.make()
    const client = yield* Scope.extend(sessionOver("client", pair.client, { heartbeat: false }), inner)
    const seen: Array<string> = []
    const reading = yield* Effect.fork(
      FrameReader.make(pair.server).take.pipe(
        Effect.tap(({ frames }) => Effect.sync(() => seen.push(...frames.map(FrameLog.render)))),
        Effect.forever
      )
    )
    const stream = yield* Scope.extend(client.open({ type: 1 }), inner)
    yield* settle
    const closing = yield* Effect.fork(Scope.close(inner, Exit.void))
    yield* settle
    assert.strictEqual(seen[1], 'GOAWAY last 0 NoError "draining"')
    yield* passTimeUntil(closing)
    yield* Fiber.interrupt(reading)
    assert.deepStrictEqual(seen.slice(-2), ["GOAWAY last 0 NoError", "UNKNOWN type 15 on 0, 0 bytes"])
    assert.strictEqual(stream.id, 3)
  }).pipe(scenario)
)

const watched = { both: { ...quick, heartbeat: { interval: "10 seconds", tolerance: "15 seconds" } } } as const

for (const [name, announceDrain] of [
  ["announced", true],
  ["unannounced", false]
] as const) {
  sessionTest(
    `a young session whose peer has an ${name} drain finds a dead peer, and trusts a silent one that lives`,
    (sessions) =>
      Effect.gen(function* () {
        const { client, link, server } = sessions
        const { calling } = yield* inFlight(sessions)
        yield* Effect.forkScoped(server.drain("1 hour"))
        // no byte of the call arrives in this time
        yield* Effect.sleep("10 minutes")
        assert.isNull(calling.unsafePoll())
        yield* link.blackHole
        const took = yield* elapsed(client.closed)
        assert.strictEqual((yield* client.closed)._tag, "SessionDead")
        assert.isAtMost(took, 25_000)
        const failure = yield* Effect.flip(yield* Fiber.join(calling))
        assert.strictEqual(failure._tag, "SessionDead")
        assert.notInclude(failure.message, "is its session typed")
      }),
    { both: { ...watched.both, announceDrain } }
  )
}

sessionTest(
  "an old session, whose heartbeats began before its peer's drain, keeps its heartbeat stream",
  (sessions) =>
    Effect.gen(function* () {
      const { client, server } = sessions
      const { calling, release } = yield* inFlight(sessions)
      yield* Effect.sleep("1 minute")
      yield* Effect.forkScoped(server.drain("1 hour"))
      yield* Effect.sleep("10 minutes")
      yield* client.ping
      yield* release
      assert.deepStrictEqual(yield* Fiber.join(calling), Exit.succeed("hello"))
    }),
  watched
)
