import { assert, describe } from "@effect/vitest"
import { MuxStream, type Session } from "effect-muxado"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { call, echoWhole, ending, sessionTest } from "../support/session/sessionTest.js"

/** Longer than any test waits. If a drain waits for its own handler, the handler is reset after this time. */
const GRACE = "1 hour"

/** The calls end long before the grace. */
const atOnce = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const result = yield* effect
    assert.isBelow((yield* Clock.currentTimeMillis) - began, 60_000, "it has waited for the grace")
    return result
  })

const COMMANDS: Record<string, (session: Session.SessionService) => Effect.Effect<void>> = {
  "the handler itself": (session) => session.drain(GRACE),
  "a child fiber": (session) => Effect.flatMap(Effect.fork(session.drain(GRACE)), Fiber.join),
  "a daemon of the handler": (session) => Effect.flatMap(Effect.forkDaemon(session.drain(GRACE)), Fiber.join),
  "an uninterruptible region": (session) => Effect.uninterruptible(session.drain(GRACE)),
  "a parallel pair": (session) =>
    Effect.all([session.drain(GRACE), session.drain(GRACE)], { concurrency: 2, discard: true })
}

describe("drain, called from a handler of its session,", () => {
  for (const [by, drain] of Object.entries(COMMANDS)) {
    sessionTest(
      `by ${by}: returns to the handler, whose answer arrives, and then the session closes`,
      ({ client, server }) =>
        atOnce(
          Effect.gen(function* () {
            yield* Effect.fork(
              server.serve((stream) => Effect.zipRight(drain(server), MuxStream.write(stream, "it drains")))
            )
            assert.strictEqual(yield* call(client), "it drains")
            assert.strictEqual((yield* client.closed)._tag, "RemoteGoneAway")
            assert.strictEqual((yield* server.closed)._tag, "SessionClosed")
          })
        )
    )
  }

  sessionTest("waits for all other streams, of both sides", ({ client, server }) =>
    atOnce(
      Effect.gen(function* () {
        const log: Array<string> = []
        const release = yield* Deferred.make<void>()
        yield* Effect.fork(
          server.serve((stream) =>
            stream.type === 1
              ? server
                  .drain(GRACE)
                  .pipe(
                    Effect.zipRight(Effect.sync(() => log.push("drained"))),
                    Effect.zipRight(MuxStream.write(stream, "it drains"))
                  )
              : Effect.zipRight(Deferred.await(release), echoWhole(stream))
          )
        )
        yield* Effect.fork(client.serve((stream) => Effect.zipRight(Deferred.await(release), echoWhole(stream))))
        const others = yield* Effect.forEach([client, server], (session) =>
          Effect.fork(Effect.tap(call(session), () => Effect.sync(() => log.push("answered"))))
        )
        yield* Effect.sleep(10)
        const draining = yield* Effect.fork(client.withStream((stream) => MuxStream.readAll(stream), { type: 1 }))
        yield* Effect.sleep(1000)
        assert.deepStrictEqual(log, [])
        yield* Deferred.succeed(release, undefined)
        assert.deepStrictEqual(yield* Fiber.join(Fiber.all(others)), ["hello", "hello"])
        assert.strictEqual((yield* Fiber.join(draining)).length, "it drains".length)
        assert.deepStrictEqual([...log].sort(), ["answered", "answered", "drained"])
        yield* client.closed
      })
    )
  )

  sessionTest("does not wait for other handlers that drain too", ({ client, server }) =>
    atOnce(
      Effect.gen(function* () {
        yield* Effect.fork(
          server.serve((stream) => Effect.zipRight(server.drain(GRACE), MuxStream.write(stream, "it drains")))
        )
        const answers = yield* Effect.all([call(client), call(client), call(client)], { concurrency: 3 })
        assert.deepStrictEqual(answers, ["it drains", "it drains", "it drains"])
        yield* client.closed
      })
    )
  )

  sessionTest("gives its place to streams that wait for a handler", ({ client, server }) =>
    atOnce(
      Effect.gen(function* () {
        yield* Effect.fork(
          server.serve(
            (stream) =>
              stream.type === 1
                ? Effect.zipRight(server.drain(GRACE), MuxStream.write(stream, "it drains"))
                : echoWhole(stream),
            { concurrency: 1 }
          )
        )
        const calls = yield* Effect.all(
          [client.withStream((stream) => MuxStream.readAll(stream), { type: 1 }), call(client), call(client)],
          { concurrency: 3 }
        )
        assert.deepStrictEqual(calls.slice(1), ["hello", "hello"])
      })
    )
  )

  sessionTest("in a serve within another handler of the session, waits for neither", ({ client, server }) =>
    atOnce(
      Effect.gen(function* () {
        yield* Effect.fork(
          server.serve(
            (stream) =>
              Effect.zipRight(
                server.serve((inner) => Effect.zipRight(server.drain(GRACE), MuxStream.write(inner, "inner"))),
                MuxStream.write(stream, "outer")
              ),
            { concurrency: 1 }
          )
        )
        const outer = yield* Effect.fork(call(client))
        yield* Effect.sleep(10)
        assert.strictEqual(yield* call(client), "inner")
        assert.strictEqual(yield* Fiber.join(outer), "outer")
      })
    )
  )

  sessionTest("of another session, waits for that session as a whole", ({ client, server }) =>
    Effect.gen(function* () {
      const release = yield* Deferred.make<void>()
      yield* Effect.fork(client.serve((stream) => Effect.zipRight(Deferred.await(release), echoWhole(stream))))
      // the two handlers are of two sessions: the outer one of `server`, the inner one of `client`
      yield* Effect.fork(server.serve((stream) => Effect.zipRight(client.drain(GRACE), MuxStream.write(stream, "x"))))
      const back = yield* Effect.fork(call(server))
      yield* Effect.sleep(10)
      const calling = yield* Effect.fork(Effect.exit(call(client)))
      yield* Effect.sleep("1 minute")
      assert.isNull(calling.unsafePoll())
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual(yield* Fiber.join(back), "hello")
      // the stream of the outer handler belongs to the session that drains: its handler waits for the whole grace
      yield* server.close
      assert.isTrue(Exit.isFailure(yield* Fiber.join(calling)))
    })
  )

  sessionTest("resets what is left at the end of the grace, the caller's own stream too", ({ client, server }) =>
    Effect.gen(function* () {
      const fates: Array<string> = []
      const note = (name: string) =>
        Effect.onExit((exit: Exit.Exit<unknown, unknown>) =>
          Effect.sync(() => void fates.push(`${name} ${Exit.isInterrupted(exit) ? "interrupted" : "ended"}`))
        )
      yield* Effect.fork(
        server.serve((stream) =>
          stream.type === 1 ? note("drains")(server.drain("1 second")) : note("stays")(Effect.never)
        )
      )
      yield* client.open()
      yield* client.open({ type: 1 })
      yield* Effect.sleep(999)
      assert.deepStrictEqual(fates, [])
      yield* client.closed
      yield* Effect.sleep(1)
      assert.deepStrictEqual(fates.sort(), ["drains interrupted", "stays interrupted"])
    }).pipe(Effect.scoped)
  )

  sessionTest("goes on if its caller is interrupted, and then the caller's stream counts again", ({ client, server }) =>
    Effect.gen(function* () {
      const release = yield* Deferred.make<void>()
      const first = yield* Deferred.make<void>()
      yield* Effect.fork(
        server.serve((stream) =>
          stream.type === 1
            ? Effect.zipRight(
                Effect.timeoutOption(server.drain(GRACE), 10),
                Effect.zipRight(Deferred.succeed(first, undefined), Deferred.await(release))
              )
            : stream.type === 2
              ? Deferred.await(first).pipe(
                  Effect.zipRight(server.drain(GRACE)),
                  Effect.zipRight(MuxStream.write(stream, "drained"))
                )
              : Deferred.await(release)
        )
      )
      yield* client.open()
      const second = yield* Effect.fork(client.withStream((stream) => MuxStream.readAll(stream), { type: 2 }))
      yield* Effect.sleep(10)
      yield* client.open({ type: 1 })
      yield* Deferred.await(first)
      yield* Effect.sleep("1 minute")
      assert.isNull(second.unsafePoll())
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual((yield* Fiber.join(second)).length, "drained".length)
    }).pipe(Effect.scoped)
  )

  sessionTest("when its stream is already over, it waits for the end of the session", ({ client, server }) =>
    atOnce(
      Effect.gen(function* () {
        const ended = yield* Deferred.make<string>()
        yield* Effect.fork(
          server.serve((stream) =>
            Effect.gen(function* () {
              yield* MuxStream.readAll(stream)
              yield* MuxStream.close(stream)
              yield* Effect.sleep(10)
              yield* server.drain(GRACE)
              yield* Deferred.succeed(ended, (yield* server.closed)._tag)
            })
          )
        )
        yield* call(client)
        assert.strictEqual(yield* Deferred.await(ended), "SessionClosed")
      })
    )
  )
})

describe("close, called from a handler of its session,", () => {
  const closings: Record<string, (session: Session.SessionService) => Effect.Effect<void>> = {
    close: (session) => session.close,
    closeWith: (session) => session.closeWith({ code: 1000, debug: "moving" }),
    "close without an interruption": (session) => Effect.uninterruptible(session.close)
  }
  for (const [name, close] of Object.entries(closings)) {
    sessionTest(`${name}: ends the session and the handler`, ({ client, server }) =>
      atOnce(
        Effect.gen(function* () {
          const fate = yield* Deferred.make<string>()
          yield* Effect.fork(
            server.serve(() =>
              close(server).pipe(
                Effect.onExit((exit) => Deferred.succeed(fate, Exit.isInterrupted(exit) ? "interrupted" : "ended"))
              )
            )
          )
          assert.match(yield* ending(call(client)), /^fails RemoteGoneAway/)
          yield* Deferred.await(fate)
          assert.strictEqual((yield* server.closed)._tag, "SessionClosed")
        })
      )
    )
  }
})
