import { assert, describe } from "@effect/vitest"
import { Data, Effect, Exit, Schedule } from "effect"
import { ErrorCode, ManagedSession, MuxadoError, MuxStream, type Session } from "effect-muxado"
import { call, echo, exchange, settle } from "../support/managed/calls.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

const second = { reconnect: Schedule.spaced("1 second") }

class Mine extends Data.TaggedError("Mine")<{ readonly processed: "no"; readonly initiator: "Remote" }> {}

/** A server that refuses the first `refusals` streams, and counts what it does. */
const refusing = (refusals: number) => {
  const counts = { arrived: 0, ran: 0 }
  const handler = (session: Session.SessionService) =>
    session.serve(
      (stream) =>
        Effect.gen(function* () {
          if (counts.arrived++ < refusals) return yield* Effect.fail("full")
          counts.ran++
          yield* MuxStream.write(stream, yield* MuxStream.readAll(stream))
        }),
      { resetCode: () => ErrorCode.StreamRefused }
    )
  return { counts, handler }
}

describe("retry", () => {
  virtually("true: a refused stream is opened again, and the server runs the call once", () =>
    Effect.gen(function* () {
      const { counts, handler } = refusing(3)
      const network = yield* makeNetwork({ handler })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      assert.strictEqual(yield* call(session, "a", { retry: true }), "a")
      assert.deepStrictEqual(counts, { arrived: 4, ran: 1 })
      assert.strictEqual(network.dials, 1)
    })
  )

  virtually("true: at most 5 more times, then the refusal itself is the error", () =>
    Effect.gen(function* () {
      const { counts, handler } = refusing(1000)
      const network = yield* makeNetwork({ handler })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const error = yield* Effect.flip(call(session, "a", { retry: true }))
      assert.strictEqual(error._tag, "StreamReset")
      assert.strictEqual(counts.arrived, 6)
    })
  )

  virtually("is false by default, and the default can be set", () =>
    Effect.gen(function* () {
      const { counts, handler } = refusing(1000)
      const network = yield* makeNetwork({ handler })
      const plain = yield* ManagedSession.make({ connect: network.connect, ...second })
      yield* Effect.flip(call(plain, "a"))
      assert.strictEqual(counts.arrived, 1)
      const twice = yield* ManagedSession.make({ connect: network.connect, retry: Schedule.recurs(1), ...second })
      yield* Effect.flip(call(twice, "a"))
      assert.strictEqual(counts.arrived, 3)
      yield* Effect.flip(call(twice, "a", { retry: false }))
      assert.strictEqual(counts.arrived, 4)
    })
  )

  virtually("as a schedule ends when the schedule ends", () =>
    Effect.gen(function* () {
      const { counts, handler } = refusing(1000)
      const network = yield* makeNetwork({ handler })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const seen: Array<string> = []
      const schedule = Schedule.recurs(3).pipe(
        Schedule.tapInput((error: MuxadoError.MuxadoError) => Effect.sync(() => seen.push(error._tag)))
      )
      const error = yield* Effect.flip(call(session, "a", { retry: schedule }))
      assert.strictEqual(error._tag, "StreamReset")
      assert.strictEqual(counts.arrived, 4)
      assert.isTrue(seen.every((tag) => tag === "StreamReset"))
    })
  )

  virtually("never repeats after the server may have run the call, at any byte of the cut", () =>
    Effect.gen(function* () {
      for (const direction of ["clientToServer", "serverToClient"] as const) {
        for (let at = 0; at < 120; at += 3) {
          const { counts, handler } = refusing(0)
          const network = yield* makeNetwork({
            handler,
            link: { latency: 2, chunking: { min: 1, max: 7 }, seed: at }
          })
          const session = yield* ManagedSession.make({ connect: network.connect, retry: true, ...second })
          yield* Effect.sleep("20 seconds")
          const link = network.connections[0]?.link
          const stats = yield* link?.stats ?? Effect.die("no connection")
          yield* link?.inject({ [direction]: { cutAt: at } }) ?? Effect.void
          const exit = yield* Effect.exit(call(session, "0123456789".repeat(3)))
          yield* Effect.sleep("2 seconds")
          const where = `${direction} at ${stats[direction].written} + ${at}`
          assert.isAtMost(counts.arrived, 1, where)
          if (Exit.isSuccess(exit)) assert.strictEqual(counts.ran, 1, where)
          else {
            const error = yield* Effect.flip(Effect.suspend(() => exit))
            assert.isTrue(MuxadoError.isMuxadoError(error), where)
            if (MuxadoError.isMuxadoError(error) && error.processed === "no")
              assert.strictEqual(counts.arrived, 0, where)
          }
          yield* session.close
        }
      }
    })
  )

  virtually("does not repeat a call because of an error of another session inside `use`", () =>
    Effect.gen(function* () {
      const refuses = refusing(1000)
      const other = yield* makeNetwork({ handler: refuses.handler })
      const network = yield* makeNetwork({ handler: echo })
      const inner = yield* ManagedSession.make({ connect: other.connect, ...second })
      const session = yield* ManagedSession.make({ connect: network.connect, retry: true, ...second })
      let runs = 0
      const error = yield* Effect.flip(
        session.withStream((stream) =>
          Effect.gen(function* () {
            runs++
            yield* exchange(stream, "a")
            return yield* call(inner, "b")
          })
        )
      )
      assert.strictEqual(error._tag, "StreamReset")
      assert.strictEqual(runs, 1)
      assert.strictEqual(refuses.counts.arrived, 1)
    })
  )

  virtually("does not repeat a call because of an error of another stream of the same session", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({
        handler: (session) =>
          Effect.zip(
            session.serve(
              (stream) => Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes)),
              { type: 1 }
            ),
            session.serve(() => Effect.fail("no"), { type: 2, resetCode: () => ErrorCode.StreamRefused }),
            { concurrent: true }
          )
      })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      let runs = 0
      yield* Effect.flip(
        session.withStream(
          (stream) =>
            Effect.gen(function* () {
              runs++
              yield* exchange(stream, "a")
              return yield* call(session, "b", { type: 2, retry: false })
            }),
          { type: 1, retry: true }
        )
      )
      assert.strictEqual(runs, 1)
    })
  )

  for (const [name, error] of Object.entries({
    "a user's own error": "mine",
    "a user's own error that looks like one of this library": new Mine({ processed: "no", initiator: "Remote" }),
    "an error of this library that the user made": new MuxadoError.StreamReset({
      id: 3,
      code: ErrorCode.StreamRefused,
      initiator: "Remote",
      processed: "no"
    } as never)
  })) {
    virtually(`never repeats after ${name}`, () =>
      Effect.gen(function* () {
        const network = yield* makeNetwork({ handler: echo })
        const session = yield* ManagedSession.make({ connect: network.connect, retry: true, ...second })
        let runs = 0
        const failed = yield* Effect.flip(
          session.withStream((stream) =>
            Effect.suspend(() => {
              runs++
              return Effect.zipRight(exchange(stream, "a"), Effect.fail(error))
            })
          )
        )
        assert.strictEqual(failed, error)
        assert.strictEqual(runs, 1)
      })
    )
  }

  virtually("never repeats after a defect or an interruption of `use`", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, retry: true, ...second })
      let runs = 0
      for (const wrong of [Effect.die("boom"), Effect.interrupt]) {
        yield* Effect.exit(session.withStream(() => Effect.suspend(() => (runs++, wrong))))
      }
      assert.strictEqual(runs, 2)
    })
  )

  virtually("of a server that always refuses is at most about 1.2 times the calls plus 100", () =>
    Effect.gen(function* () {
      const { counts, handler } = refusing(1e9)
      const network = yield* makeNetwork({ handler })
      const session = yield* ManagedSession.make({ connect: network.connect, retry: true, ...second })
      yield* settle
      for (let i = 0; i < 20; i++) {
        yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.exit(call(session, "a")), {
          concurrency: "unbounded"
        })
      }
      assert.isAtMost(counts.arrived, 2000 * 1.2 + 100)
      assert.isAtLeast(counts.arrived, 2000)
    })
  )

  virtually("with an endless schedule of a server that always refuses is bounded by the budget, too", () =>
    Effect.gen(function* () {
      const { counts, handler } = refusing(1e9)
      const network = yield* makeNetwork({ handler })
      const session = yield* ManagedSession.make({ connect: network.connect, retry: Schedule.forever, ...second })
      yield* Effect.forEach(Array.from({ length: 500 }), () => Effect.exit(call(session, "a")), {
        concurrency: "unbounded"
      }).pipe(Effect.timeout("10 minutes"))
      assert.isAtMost(counts.arrived, 500 * 1.2 + 100)
    })
  )

  virtually("goes to the next server when this one leaves and refuses", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo, link: { latency: 20 } })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      yield* Effect.sleep("20 seconds")
      for (let i = 0; i < 20; i++) {
        yield* Effect.fork(network.replace)
        yield* Effect.sleep(i * 3)
        // the call crosses the announcement
        const answer = yield* call(session, "a", { retry: true })
        assert.match(answer, /^a /)
        yield* Effect.sleep("20 seconds")
      }
    })
  )
})
