/** A thousand calls that end together. */
import { assert, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { noise } from "../support/bytes.js"
import { echo, exchange, makePair, passTimeUntil, scenario } from "../support/session/sessions.js"

it.effect("1,000 calls that time out together do not end the session", () =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair({ link: { latency: "5 millis" } })
    yield* Effect.forkScoped(server.serve((stream) => (stream.type === 1 ? echo(stream) : Effect.never)))
    const calls = Effect.forEach(
      Array.from({ length: 1000 }),
      () => Effect.timeoutOption(client.withStream(MuxStream.readAll), "1 second"),
      { concurrency: "unbounded", discard: true }
    )
    yield* Effect.flatMap(Effect.fork(calls), passTimeUntil)
    const after = yield* Effect.fork(client.withStream((stream) => exchange(stream, noise(100, 1)), { type: 1 }))
    assert.deepStrictEqual(yield* passTimeUntil(after), noise(100, 1))
    assert.strictEqual((yield* server.stats).inboundStreams, 0)
  }).pipe(scenario)
)

it.effect("a drain that resets 1,000 calls is an orderly end for the peer", () =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair({ link: { latency: "5 millis" } })
    yield* Effect.forkScoped(server.serve(() => Effect.never))
    const calls = yield* Effect.forEach(Array.from({ length: 1000 }), () =>
      Effect.fork(Effect.exit(client.withStream(MuxStream.readAll)))
    )
    yield* TestClock.adjust("100 millis")
    assert.strictEqual((yield* server.stats).inboundStreams, 1000)
    yield* Effect.flatMap(Effect.fork(client.drain("100 millis")), passTimeUntil)
    yield* Effect.forEach(calls, Fiber.join, { discard: true })
    assert.strictEqual((yield* server.closed)._tag, "RemoteGoneAway")
  }).pipe(scenario)
)
