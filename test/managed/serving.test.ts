import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { ManagedSession, MuxStream, type Session } from "effect-muxado"
import { exchange, settle, text } from "../support/managed/calls.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

const second = { reconnect: Schedule.spaced("1 second") }

/** The server calls the client at once, and keeps the answer. */
const caller =
  (answers: Array<string>, options?: Session.OpenOptions) => (session: Session.SessionService, server: number) =>
    session
      .withStream((stream) => exchange(stream, `to ${server}`), options)
      .pipe(
        Effect.match({
          onFailure: (error) => answers.push(error._tag),
          onSuccess: (answer) => answers.push(answer)
        })
      )

const upper = (stream: MuxStream.MuxStream) =>
  Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, text(bytes).toUpperCase()))

describe("serve on a managed session", () => {
  virtually("takes the stream that each new server opens at once", () =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const network = yield* makeNetwork({ handler: caller(answers) })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      yield* Effect.fork(session.serve(upper))
      for (let i = 0; i < 5; i++) {
        yield* Effect.sleep("20 seconds")
        yield* network.kill
      }
      yield* Effect.sleep("20 seconds")
      assert.deepStrictEqual(answers, ["TO 0", "TO 1", "TO 2", "TO 3", "TO 4", "TO 5"])
    })
  )

  virtually("by type takes its streams from each server, beside others", () =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const network = yield* makeNetwork({
        handler: (session, server) =>
          Effect.all([1, 2, 3].map((type) => caller(answers, { type })(session, server * 10 + type)))
      })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const say = (word: string) => (stream: MuxStream.MuxStream) =>
        Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, `${word} ${text(bytes)}`))
      yield* Effect.fork(session.serve(say("one"), { type: 1 }))
      yield* Effect.fork(session.serve(say("two"), { type: [2] }))
      yield* Effect.sleep("20 seconds")
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      assert.deepStrictEqual(answers, ["one to 1", "two to 2", "StreamReset", "one to 11", "two to 12", "StreamReset"])
    })
  )

  virtually("holds its concurrency over an old and a new session together", () =>
    Effect.gen(function* () {
      let running = 0
      let peak = 0
      let done = 0
      const network = yield* makeNetwork({
        handler: (session) =>
          Effect.forEach(
            Array.from({ length: 6 }),
            () =>
              session.withStream((stream) => exchange(stream, "a")).pipe(Effect.zipRight(Effect.sync(() => done++))),
            { concurrency: "unbounded" }
          ).pipe(Effect.ignore)
      })
      const session = yield* ManagedSession.make({ connect: network.connect, moveGrace: "10 minutes", ...second })
      yield* Effect.fork(
        session.serve(
          (stream) =>
            Effect.acquireUseRelease(
              Effect.sync(() => (peak = Math.max(peak, ++running))),
              () => Effect.zipRight(MuxStream.readAll(stream), Effect.sleep("20 seconds")),
              () => Effect.sync(() => running--)
            ),
          { concurrency: 3 }
        )
      )
      yield* Effect.sleep("15 seconds")
      yield* Effect.fork(network.connections[0]?.session?.goAway() ?? Effect.void)
      yield* Effect.sleep("1 second")
      assert.strictEqual(network.dials, 2)
      assert.isAtMost(peak, 3)
      yield* Effect.sleep("3 minutes")
      assert.strictEqual(done, 12)
      assert.strictEqual(peak, 3)
      assert.strictEqual(running, 0)
    })
  )

  virtually("connects with `OnDemand`, and again after a loss", () =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const network = yield* makeNetwork({ handler: caller(answers) })
      const session = yield* ManagedSession.make({ connect: network.connect, dial: "OnDemand", ...second })
      yield* settle
      assert.strictEqual(network.dials, 0)
      const serving = yield* Effect.fork(session.serve(upper))
      yield* Effect.sleep("20 seconds")
      assert.strictEqual(network.dials, 1)
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      assert.deepStrictEqual(answers, ["TO 0", "TO 1"])
      yield* Fiber.interrupt(serving)
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      assert.strictEqual(network.dials, 2)
    })
  )

  virtually("that is interrupted ends its handlers, and a later one serves", () =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const network = yield* makeNetwork({ handler: caller(answers) })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      let ended = 0
      const serving = yield* Effect.fork(
        session.serve(() => Effect.never.pipe(Effect.ensuring(Effect.sync(() => ended++))))
      )
      yield* Effect.sleep("20 seconds")
      yield* Fiber.interrupt(serving)
      yield* settle
      assert.strictEqual(ended, 1)
      assert.deepStrictEqual(answers, ["StreamReset"])
      yield* Effect.fork(session.serve(upper))
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      assert.deepStrictEqual(answers, ["StreamReset", "TO 1"])
    })
  )

  virtually("whose handler dies goes on, on this session and the next", () =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const network = yield* makeNetwork({
        handler: (session, server) =>
          Effect.zipRight(caller(answers)(session, server), caller(answers)(session, server))
      })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      yield* Effect.fork(session.serve((stream) => Effect.flatMap(MuxStream.readAll(stream), () => Effect.fail("no"))))
      yield* Effect.sleep("20 seconds")
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      assert.deepStrictEqual(answers, ["StreamReset", "StreamReset", "StreamReset", "StreamReset"])
    })
  )

  virtually("is interrupted in a handler when its session is lost", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: caller([]) })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      let ended = 0
      yield* Effect.fork(session.serve(() => Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => ended++)))))
      yield* settle
      yield* network.kill
      yield* settle
      assert.strictEqual(ended, 1)
    })
  )
})

describe("accept on a managed session", () => {
  virtually("gets streams of each session in turn", () =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const network = yield* makeNetwork({ handler: caller(answers) })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const one = Effect.scoped(
        Effect.flatMap(session.accept, (stream) => Effect.zipRight(upper(stream), MuxStream.close(stream)))
      )
      yield* one
      yield* Effect.sleep("20 seconds")
      const waiting = yield* Effect.fork(one)
      yield* network.kill
      yield* Fiber.join(waiting)
      yield* settle
      assert.deepStrictEqual(answers, ["TO 0", "TO 1"])
    })
  )

  virtually("interrupted 200 times loses no stream", () =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const network = yield* makeNetwork({
        handler: (session, server) =>
          Effect.forEach(Array.from({ length: 50 }), (_, i) =>
            Effect.zipRight(Effect.sleep(7), caller(answers)(session, server * 100 + i))
          )
      })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      yield* Effect.scoped(
        Effect.flatMap(session.accept, (stream) => Effect.zipRight(upper(stream), MuxStream.close(stream)))
      ).pipe(Effect.timeoutOption("6 millis"), Effect.repeat({ until: () => answers.length >= 50, times: 400 }))
      assert.strictEqual(answers.filter((answer) => answer.startsWith("TO ")).length, 50, answers.join(","))
    })
  )

  virtually("connects with `OnDemand`", () =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const network = yield* makeNetwork({ handler: caller(answers) })
      const session = yield* ManagedSession.make({ connect: network.connect, dial: "OnDemand", ...second })
      yield* Effect.scoped(
        Effect.flatMap(session.accept, (stream) => Effect.zipRight(upper(stream), MuxStream.close(stream)))
      )
      yield* settle
      assert.deepStrictEqual(answers, ["TO 0"])
    })
  )

  virtually("of a stream whose session is lost before it is accepted does not hang", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: caller([]) })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      yield* settle
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      const stream = yield* Effect.scoped(Effect.flatMap(session.accept, (stream) => MuxStream.readAll(stream))).pipe(
        Effect.map(text),
        Effect.either,
        Effect.timeout("1 minute")
      )
      assert.strictEqual(stream._tag === "Right" ? stream.right : stream.left._tag, "to 1")
    })
  )
})
