/** The operations of a session after its end, twice, and two at once. */
import { assert, describe } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import { SimulatedSessions } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { call, echoWhole, ending, quick, sessionTest } from "../support/session/sessionTest.js"

describe("a session after its end", () => {
  const ends: Record<
    string,
    readonly [(sessions: SimulatedSessions.SimulatedSessionsService) => Effect.Effect<void>, string]
  > = {
    close: [({ client }) => client.close, "SessionClosed"],
    drain: [({ client }) => client.drain(), "SessionClosed"],
    "the peer's close": [({ server }) => server.close, "RemoteGoneAway"],
    "a cut": [({ link }) => link.cut, "TransportFailed"]
  }
  for (const [end, [finish, tag]] of Object.entries(ends)) {
    sessionTest(
      `open, withStream, accept and ping after ${end} fail with ${tag}; closed and draining give it`,
      (sessions) =>
        Effect.gen(function* () {
          const { client } = sessions
          yield* finish(sessions)
          yield* Effect.sleep(1)
          const failing = new RegExp(`^fails ${tag}: `)
          assert.match(yield* ending(client.open()), failing)
          assert.match(yield* ending(client.withStream(() => Effect.void)), failing)
          assert.match(yield* ending(client.accept), failing)
          assert.match(yield* ending(client.ping), failing)
          assert.strictEqual((yield* client.closed)._tag, tag)
          assert.strictEqual((yield* client.draining)._tag, tag)
        })
    )

    sessionTest(`serve, goAway, drain, close, closeWith and stats after ${end} complete`, (sessions) =>
      Effect.gen(function* () {
        const { client } = sessions
        yield* finish(sessions)
        yield* Effect.sleep(1)
        assert.strictEqual(yield* ending(client.serve(echoWhole)), "ok")
        assert.strictEqual(yield* ending(client.goAway({ code: 99, debug: "late" })), "ok")
        assert.strictEqual(yield* ending(client.drain()), "ok")
        assert.strictEqual(yield* ending(client.close), "ok")
        assert.strictEqual(yield* ending(client.closeWith({ code: 98 })), "ok")
        assert.strictEqual((yield* client.stats).inboundStreams, 0)
        assert.strictEqual((yield* client.closed)._tag, tag)
      })
    )
  }

  sessionTest("every operation completes or fails after the session's scope has closed", () =>
    Effect.gen(function* () {
      const { client } = yield* Effect.scoped(SimulatedSessions.make({ both: quick }))
      assert.match(yield* ending(client.open()), /^fails (RemoteGoneAway|SessionClosed): /)
      assert.strictEqual(yield* ending(client.serve(echoWhole)), "ok")
      assert.strictEqual(yield* ending(client.close), "ok")
      assert.strictEqual(yield* ending(client.closed), "ok")
    })
  )
})

describe("a session's operations twice, or two at once", () => {
  sessionTest("two drains, two closes, and both at once complete together", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      const stream = yield* client.open()
      yield* MuxStream.write(stream, "held")
      const all = Effect.all(
        [client.drain(50), client.drain(50), client.close, client.close, client.closeWith({ code: 99 })],
        {
          concurrency: "unbounded"
        }
      )
      assert.strictEqual(yield* ending(all), "ok")
    })
  )

  sessionTest("two serves of one session share its streams, each stream once", ({ client, server }) =>
    Effect.gen(function* () {
      let handled = 0
      const handler = (stream: MuxStream.MuxStream) =>
        Effect.zipRight(
          Effect.sync(() => handled++),
          echoWhole(stream)
        )
      yield* Effect.forkScoped(server.serve(handler))
      yield* Effect.forkScoped(server.serve(handler))
      const answers = yield* Effect.forEach(["a", "b", "c", "d"], (data) => call(client, data), { concurrency: 4 })
      assert.deepStrictEqual(answers, ["a", "b", "c", "d"])
      assert.strictEqual(handled, 4)
    })
  )

  sessionTest("pings at the same time each have their answer, although Random gives the same number", ({ client }) =>
    Effect.gen(function* () {
      const pings = Effect.all(
        Array.from({ length: 3 }, () => client.ping),
        { concurrency: 3 }
      )
      const same = { ...Random.fixed([7]), nextIntBetween: () => Effect.succeed(0xffffffff) }
      assert.strictEqual((yield* Effect.withRandom(pings, same)).length, 3)
    })
  )

  sessionTest("pings at the same time each have their answer", ({ client }) =>
    Effect.gen(function* () {
      assert.strictEqual(
        (yield* Effect.all(
          Array.from({ length: 20 }, () => client.ping),
          { concurrency: 20 }
        )).length,
        20
      )
    })
  )
})
