import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import type { Session } from "effect-muxado"
import { SimulatedSessions } from "effect-muxado/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { virtually } from "../../tools/attacks/simulated.js"
import { noise } from "../support/bytes.js"
import { assertAtRest, echo, exchange } from "../support/session/sessions.js"

const LONG = 60_000
const KIB = 1024

const both = <A, E, R>(
  { client, server }: SimulatedSessions.SimulatedSessionsService,
  what: (session: Session.SessionService) => Effect.Effect<A, E, R>
) => Effect.all([what(client), what(server)], { concurrency: 2, discard: true })

const times = <A, E, R>(count: number, concurrency: number, what: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: count }), () => what, { concurrency, discard: true })

describe("a pipe of 4 KiB", () => {
  it.effect(
    "does not stall two sessions that both send to handlers that close at once",
    () =>
      Effect.gen(function* () {
        const sessions = yield* SimulatedSessions.make({ link: { bufferSize: 4 * KIB } })
        yield* Effect.forkScoped(both(sessions, (session) => session.serve(() => Effect.void)))
        const bytes = noise(4200, 1)
        let done = 0
        yield* both(sessions, (session) =>
          times(40 * 60, 40, Effect.ignore(session.withStream((stream) => MuxStream.write(stream, bytes)))).pipe(
            Effect.zipRight(Effect.sync(() => done++))
          )
        )
        assert.strictEqual(done, 2)
        yield* both(sessions, (session) => session.ping)
      }).pipe(virtually),
    LONG
  )

  it.effect(
    "A46: does not stall two sessions that write 10 MB each on 20 streams, and close them at random",
    () =>
      Effect.gen(function* () {
        const sessions = yield* SimulatedSessions.make({ link: { bufferSize: 4 * KIB } })
        yield* Effect.forkScoped(both(sessions, (session) => session.serve(echo)))
        const bytes = noise(512 * KIB, 1)
        const whole = { compared: 0, closed: 0 }
        const one = (session: Session.SessionService) =>
          session.withStream((stream) =>
            Effect.gen(function* () {
              if (yield* Random.nextBoolean) {
                whole.compared++
                assert.deepStrictEqual(yield* exchange(stream, bytes), bytes)
              } else {
                whole.closed++
                const part = yield* Random.nextIntBetween(1, bytes.length)
                const writing = yield* Effect.fork(Effect.ignore(MuxStream.write(stream, bytes)))
                for (let read = 0; read < part;) {
                  const chunk = yield* MuxStream.read(stream)
                  read += chunk._tag === "Some" ? chunk.value.length : bytes.length
                }
                yield* MuxStream.close(stream)
                yield* Fiber.await(writing)
              }
            })
          )
        yield* both(sessions, (session) => times(20, 20, one(session)))
        assert.isAbove(Math.min(whole.compared, whole.closed), 0)
        yield* both(sessions, (session) => session.ping)
      }).pipe(virtually),
    LONG
  )
})

it.effect("a stream that is not read, and a full backlog, do not slow the other streams down", () =>
  Effect.gen(function* () {
    const slow = SimulatedSessions.make({
      link: { latency: "10 millis", bandwidth: 10_000_000 },
      server: { acceptBacklog: 8 }
    })
    const measured = (withBlocked: boolean) =>
      Effect.gen(function* () {
        const { client, server } = yield* slow
        yield* Effect.forkScoped(
          server.serve((stream) => (stream.type === 1 ? Effect.never : echo(stream)), { concurrency: 101 })
        )
        const streams = yield* Effect.forEach(Array.from({ length: 100 }), () => client.open({ type: 2 }))
        yield* Effect.forEach(streams, (stream) => MuxStream.write(stream, noise(1, 1)), { discard: true })
        yield* Effect.sleep("1 second")
        if (withBlocked) {
          const blocked = yield* client.open({ type: 1 })
          yield* Effect.forkScoped(Effect.ignore(MuxStream.write(blocked, noise(512 * KIB, 1))))
          yield* Effect.sleep("1 second")
          yield* times(8, 8, client.open({ type: 3 }))
        }
        yield* Effect.sleep("1 second")
        const took = yield* Effect.forEach(
          streams,
          (stream) =>
            Effect.map(
              Effect.timed(Effect.zipRight(MuxStream.write(stream, noise(1000, 2)), answer(stream, 1001))),
              ([time]) => Duration.toMillis(time)
            ),
          { concurrency: "unbounded" }
        )
        assert.strictEqual((yield* server.stats).backlog, withBlocked ? 8 : 0)
        return Math.max(...took)
      }).pipe(Effect.scoped)
    const alone = yield* measured(false)
    const beside = yield* measured(true)
    assert.isAtMost(beside, alone * 1.05)
  }).pipe(virtually)
)

/** Waits until so many bytes have come back in all. */
const answer = (stream: MuxStream.MuxStream, due: number): Effect.Effect<void, unknown> =>
  due <= 0
    ? Effect.void
    : Effect.flatMap(MuxStream.read(stream), (chunk) =>
        chunk._tag === "None" ? Effect.dieMessage("ended") : answer(stream, due - chunk.value.length)
      )

describe("nothing leaks", () => {
  it.effect(
    "when open and accept are interrupted 100 000 times",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedSessions.make({
          both: { heartbeat: false },
          client: { maxOutboundStreams: 1 }
        })
        yield* Effect.gen(function* () {
          yield* client.open()
          yield* Effect.scoped(server.accept)
          const interrupted = (waiting: Effect.Effect<unknown, unknown, Scope.Scope>) =>
            Effect.flatMap(Effect.fork(Effect.scoped(waiting)), (fiber) =>
              Effect.zipRight(Effect.yieldNow(), Fiber.interrupt(fiber))
            )
          yield* times(50_000, 1, Effect.zipRight(interrupted(client.open()), interrupted(server.accept)))
          assert.strictEqual((yield* client.stats).outboundStreams, 1)
        }).pipe(Effect.scoped)
        yield* Effect.sleep("1 second")
        // nobody is in line, and nobody takes the next one away
        yield* Effect.forkScoped(server.serve(echo))
        assert.deepStrictEqual(yield* client.withStream((stream) => exchange(stream, noise(10, 1))), noise(10, 1))
        yield* Effect.sleep("1 second")
        yield* assertAtRest(client)
        yield* assertAtRest(server)
      }).pipe(virtually),
    LONG
  )

  it.effect(
    "when 1 000 streams come and go",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedSessions.make({ both: { heartbeat: false } })
        yield* Effect.forkScoped(server.serve(echo))
        yield* times(
          3000,
          100,
          client.withStream((stream) => exchange(stream, noise(10, 1)))
        )
        yield* Effect.sleep("1 minute")
        yield* assertAtRest(client)
        yield* assertAtRest(server)
        const { charged, idGaps } = yield* server.stats
        assert.deepStrictEqual([charged.resets, charged.refusals, charged.uselessFrames], [0, 0, 0])
        // the id 1, which nobody uses
        assert.strictEqual(idGaps, 1)
      }).pipe(virtually),
    LONG
  )
})
