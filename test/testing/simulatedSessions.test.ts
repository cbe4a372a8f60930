import { assert, describe, it } from "@effect/vitest"
import { FrameReader, FrameWriter, MuxadoError, MuxStream, Session, Transport } from "effect-muxado"
import { Census, SimulatedSessions, SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { quietly } from "../support/logs.js"
import { call, quick, sessionTest } from "../support/session/sessionTest.js"

const hello = new TextEncoder().encode("hello")

const echo = (stream: MuxStream.MuxStream) =>
  Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes))

const ask = (stream: MuxStream.MuxStream) =>
  Effect.zipRight(Effect.zipRight(MuxStream.write(stream, hello), MuxStream.finish(stream)), MuxStream.readAll(stream))

/** In virtual time, with nothing left behind. */
const scenario = <A, E, R>(effect: Effect.Effect<A, E, R>) => Census.leavesNothing(VirtualTime.run(effect))

describe("simulated sessions", () => {
  it.effect("connects two sessions by a link, in both directions", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedSessions.SimulatedSessions
      assert.deepStrictEqual([client.role, server.role], ["client", "server"])
      yield* Effect.fork(server.serve(echo))
      yield* Effect.fork(client.serve(echo))
      assert.deepStrictEqual(yield* client.withStream(ask), hello)
      assert.deepStrictEqual(yield* server.withStream(ask), hello)
    }).pipe(Effect.provide(SimulatedSessions.layer({ link: { latency: "30 millis", chunking: "byte" } })), scenario)
  )

  it.effect("gives each side its options: those of the side replace those of both", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedSessions.make({
        both: { maxOutboundStreams: 1, heartbeat: false },
        server: { maxOutboundStreams: 2 }
      })
      const opened = (session: typeof client) =>
        Effect.gen(function* () {
          let count = 0
          const opening = yield* Effect.fork(
            Effect.forever(Effect.tap(session.open(), () => Effect.sync(() => count++)))
          )
          for (let i = 0; i < 100; i++) yield* Effect.yieldNow()
          yield* Fiber.interrupt(opening)
          return count
        })
      assert.deepStrictEqual([yield* opened(client), yield* opened(server)], [1, 2])
    }).pipe(Effect.scoped, scenario)
  )

  it.effect("fails with InvalidOptions", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(SimulatedSessions.make({ client: { window: 0 } })))
      assert.instanceOf(error, MuxadoError.InvalidOptions)
    })
  )

  const network = {
    latency: "20 millis",
    jitter: "15 millis",
    stalls: { every: "1 second", upTo: "200 millis" },
    bandwidth: 200_000,
    chunking: { min: 1, max: 900, joined: true },
    seed: 11,
    trace: { bytes: true }
  } as const

  /** A session over a bad network from its beginning to its end; the trace of it. */
  const conversation = Effect.gen(function* () {
    const { link } = yield* Effect.gen(function* () {
      const sessions = yield* SimulatedSessions.make({ link: network })
      yield* Effect.fork(sessions.server.serve(echo))
      const answers = yield* Effect.forEach([1, 2, 3], () => sessions.client.withStream(ask), { concurrency: 2 })
      assert.deepStrictEqual(answers, [hello, hello, hello])
      // long enough for heartbeats
      yield* Effect.sleep("1 minute")
      return sessions
    }).pipe(Effect.scoped)
    return yield* link.trace
  }).pipe(scenario)

  it.effect("repeats a conversation over a bad network with the same bytes at the same times", () =>
    Effect.gen(function* () {
      const first = yield* conversation
      assert.isAbove(first.events.length, 30)
      assert.deepStrictEqual(yield* conversation, first)
    })
  )

  it.effect("a corrupted byte ends the session on both sides, and the failure can be replayed", () =>
    Effect.gen(function* () {
      const { end, trace } = yield* Effect.gen(function* () {
        // the stream id of the first frame: 2 is not the client's to open
        const sessions = yield* SimulatedSessions.make({
          link: { ...network, faults: { clientToServer: { corruptAt: { at: 7, xor: 1 } } } }
        })
        const ending = yield* Effect.fork(sessions.server.closed)
        yield* Effect.exit(sessions.client.withStream(ask))
        return { end: yield* Fiber.join(ending), trace: yield* sessions.link.trace }
      }).pipe(Effect.scoped)
      assert.instanceOf(end, MuxadoError.ProtocolViolation)
      assert.isTrue(trace.events.some(({ event }) => event === "corrupted"))

      // what the server was sent, without client and network: the same end
      const { transport } = yield* SimulatedTransport.replay(trace, { direction: "clientToServer", timing: "none" })
      const again = yield* Session.make({ role: "server" }).pipe(
        Effect.provide(Layer.mergeAll(FrameReader.layer, FrameWriter.layer)),
        Effect.provideService(Transport.Transport, transport)
      )
      assert.deepStrictEqual(yield* again.closed, end)
    }).pipe(Effect.scoped, scenario)
  )

  for (const [side, operation] of [
    ["client", "neverEnd"],
    ["server", "neverEnd"],
    ["client", "neverWrite"]
  ] as const) {
    it.effect(`a session closes even if ${operation} applies to the transport of the ${side}`, () =>
      Effect.gen(function* () {
        const { client, link, server } = yield* SimulatedSessions.make({ link: { latency: 5 } })
        yield* Effect.fork(server.serve(echo))
        assert.deepStrictEqual(yield* client.withStream(ask), hello)
        yield* link.inject({ [side]: { [operation]: true } })
        const exits = yield* Effect.forEach([client, server], (session) => Effect.exit(session.close))
        assert.isTrue(exits.every(Exit.isSuccess))
      }).pipe(Effect.scoped, scenario)
    )
  }

  it.effect("the side that receives nothing notices that its direction is lost", () =>
    Effect.gen(function* () {
      const { client, link, server } = yield* SimulatedSessions.make({
        both: { heartbeat: { interval: "1 second", tolerance: "1 second" } }
      })
      yield* client.ping
      yield* link.inject({ serverToClient: { blackHole: true } })
      assert.strictEqual((yield* client.closed)._tag, "SessionDead")
      // and told the other one, to which the way is still open
      assert.include(["TransportFailed", "RemoteGoneAway", "SessionDead"], (yield* server.closed)._tag)
    }).pipe(Effect.scoped, scenario)
  )
})

it.effect("a test that interrupts its sessions in the middle of a call ends", () =>
  Effect.gen(function* () {
    const running = yield* Effect.fork(
      Effect.scoped(
        Effect.gen(function* () {
          const { client, server } = yield* SimulatedSessions.make({ link: { latency: "20 millis" } })
          yield* Effect.forkScoped(server.serve(() => Effect.never))
          yield* client.withStream((stream) => Stream.runDrain(MuxStream.toStream(stream)))
        })
      )
    )
    yield* TestClock.adjust("1 second")
    yield* Fiber.interrupt(running)
  }).pipe(quietly)
)

sessionTest("pairs made side by side do not see one another", ({ client, server }) =>
  Effect.gen(function* () {
    const other = yield* SimulatedSessions.make({ both: quick })
    yield* Effect.forkScoped(server.serve((stream) => MuxStream.write(stream, "one")))
    yield* Effect.forkScoped(other.server.serve((stream) => MuxStream.write(stream, "two")))
    assert.deepStrictEqual(yield* Effect.all([call(client), call(other.client)], { concurrency: 2 }), ["one", "two"])
  })
)
