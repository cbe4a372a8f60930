/** `npm run -s example:test`: a call over a slow network, and over one that breaks, without sockets or real time. */
import { assert, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, TestClock } from "effect"
import { MuxStream, type Session } from "effect-muxado"
import { SimulatedSessions, VirtualTime } from "effect-muxado/testing"

/** The program under test: a client that asks, and a server that answers after 1 second. */
const ask = (client: Session.SessionService, question: string) =>
  client.withStream((stream) =>
    Effect.gen(function* () {
      yield* MuxStream.write(stream, question)
      yield* MuxStream.finish(stream)
      return new TextDecoder().decode(yield* MuxStream.readAll(stream))
    })
  )

const answer = (stream: MuxStream.MuxStream) =>
  Effect.gen(function* () {
    const question = yield* MuxStream.readAll(stream)
    yield* Effect.sleep("1 second")
    yield* MuxStream.write(stream, `${question.length} bytes`)
  })

/** 20 ms from one side to the other. Bytes arrive in pieces of 1 to 9. */
const Slow = SimulatedSessions.layer({ link: { latency: "20 millis", chunking: { min: 1, max: 9 }, seed: 7 } })

it.effect("an answer takes one round trip and the server's second", () =>
  Effect.gen(function* () {
    const { client, server } = yield* SimulatedSessions.SimulatedSessions
    yield* Effect.fork(server.serve(answer))
    const call = yield* Effect.fork(ask(client, "how long?"))
    yield* TestClock.adjust("1039 millis")
    assert.isNull(call.unsafePoll())
    yield* TestClock.adjust("1 millis")
    assert.strictEqual(yield* Fiber.join(call), "9 bytes")
  }).pipe(Effect.provide(Slow))
)

it.effect(
  "a cut fails the call at once, and interrupts the server's handler",
  () =>
    Effect.gen(function* () {
      const { client, link, server } = yield* SimulatedSessions.SimulatedSessions
      const handled = yield* Deferred.make<Exit.Exit<void, unknown>>()
      const handler = (stream: MuxStream.MuxStream) =>
        Effect.onExit(answer(stream), (exit) => Deferred.succeed(handled, exit))
      yield* Effect.fork(server.serve(handler))
      const call = yield* Effect.fork(Effect.flip(ask(client, "are you there?")))
      yield* Effect.sleep("500 millis")
      yield* link.cut
      const error = yield* Fiber.join(call)
      assert.strictEqual(error._tag, "TransportFailed")
      assert.strictEqual(error.processed, "maybe") // the question was already sent
      assert.isTrue(Exit.isInterrupted(yield* Deferred.await(handled)))
      assert.strictEqual(yield* Clock.currentTimeMillis, 500)
    }).pipe(Effect.provide(Slow), VirtualTime.run) // time advances by itself, from one sleep to the next
)
