/** Several `serve` of one session beside each other, each for the streams of its types. */
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, Frame, MuxadoError, MuxStream, type Session } from "effect-muxado"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { assertAtRest, decoded, makePair, makeRawPair, scenario, settle } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

const answer = (text: string) => (stream: MuxStream.MuxStream) => MuxStream.write(stream, text)

const ask = (session: Session.SessionService, type?: number) =>
  Effect.map(
    session.withStream((stream) => MuxStream.readAll(stream), { type }),
    decoded
  )

const assertRefused = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(call), (error) => {
    assert.containSubset(error, {
      _tag: "StreamReset",
      code: ErrorCode.StreamRefused,
      initiator: "Remote",
      processed: "no"
    })
    assert.strictEqual(MuxadoError.retry(error), "SameSession")
  })

describe("serve with types", () => {
  it.effect("gives each stream to the serve of its type, and the rest to the serve without types", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      yield* Effect.fork(server.serve(answer("two or three"), { type: [2, 3] }))
      yield* Effect.fork(server.serve(answer("rest")))
      const answers = yield* Effect.forEach([1, 2, 3, 4, undefined, 0xfffffffe], (type) => ask(client, type))
      assert.deepStrictEqual(answers, ["one", "two or three", "two or three", "rest", "rest", "rest"])
      yield* assertAtRest(server)
    }).pipe(scenario)
  )

  it.effect("a stream that nobody serves is refused: its opener may repeat the call on the same session", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      yield* settle
      yield* assertRefused(client.withStream((stream) => MuxStream.readAll(stream), { type: 2 }))
      yield* assertRefused(
        client.withStream((stream) => Effect.zipRight(MuxStream.write(stream, "hello"), MuxStream.readAll(stream)))
      )
      assert.strictEqual(yield* ask(client, 1), "one")
      yield* settle
      assert.containSubset(yield* server.stats, { accepted: 1, charged: { refusals: 0, resets: 0 } })
      yield* assertAtRest(server)
      yield* assertAtRest(client)
    }).pipe(scenario)
  )

  it.effect("a peer of another version may call an unserved type 5,000 times at once: its session goes on", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      yield* settle
      const calls = Effect.forEach(Array(5000), () => Effect.exit(ask(client, 2)), { concurrency: 500, discard: true })
      const calling = yield* Effect.fork(calls)
      yield* settle
      yield* Fiber.join(calling)
      assert.strictEqual(yield* ask(client, 1), "one")
      assert.containSubset(yield* server.stats, { charged: { refusals: 0, resets: 0 } })
    }).pipe(scenario)
  )

  it.effect("a stream that nobody serves is refused in the step that announces it", () =>
    Effect.gen(function* () {
      const { client, receive, send } = yield* makeRawPair()
      yield* Effect.fork(client.serve(answer("one"), { type: 1 }))
      yield* settle
      const typed = (type: number) => new Uint8Array([0, 0, 0, type])
      yield* send([Frame.data(2, typed(9), { syn: true }), Frame.data(4, typed(1), { syn: true })])
      const { frames } = yield* receive
      assert.containSubset(frames[0], { _tag: "Rst", streamId: 2, code: ErrorCode.StreamRefused })
    }).pipe(scenario)
  )

  it.effect("several of one type share its streams", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const hold = yield* Deferred.make<void>()
      const held: Array<string> = []
      const holding = (name: string) => () =>
        Effect.zipRight(
          Effect.sync(() => held.push(name)),
          Deferred.await(hold)
        )
      yield* Effect.fork(server.serve(holding("a"), { type: 1, concurrency: 1 }))
      yield* Effect.fork(server.serve(holding("b"), { type: 1, concurrency: 2 }))
      for (let i = 0; i < 5; i++) yield* client.open({ type: 1 })
      yield* settle
      assert.deepStrictEqual(held, ["a", "b", "b"])
      assert.strictEqual((yield* server.stats).backlog, 2)
      yield* Deferred.succeed(hold, undefined)
      yield* settle
      assert.strictEqual(held.length, 5)
      assert.strictEqual((yield* server.stats).backlog, 0)
    }).pipe(scenario)
  )

  it.effect("at its concurrency keeps its streams waiting, refuses nothing, and does not hold back other types", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const hold = yield* Deferred.make<void>()
      yield* Effect.fork(server.serve(() => Deferred.await(hold), { type: 1, concurrency: 1 }))
      yield* Effect.fork(server.serve(answer("two"), { type: 2, concurrency: 1 }))
      yield* settle
      const calls = yield* Effect.fork(Effect.forEach(Array(5), () => ask(client, 1), { concurrency: "unbounded" }))
      yield* settle
      assert.strictEqual((yield* server.stats).backlog, 4)
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* ask(client, 2), "two")
      assert.strictEqual((yield* server.stats).backlog, 4)
      yield* Deferred.succeed(hold, undefined)
      assert.deepStrictEqual(yield* Fiber.join(calls), Array(5).fill(""))
      assert.strictEqual((yield* server.stats).backlog, 0)
    }).pipe(scenario)
  )

  it.effect("a burst of one type neither overflows the backlog for another type, nor is it free of charge", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ server: { acceptBacklog: 2 } })
      yield* Effect.fork(server.serve(() => Effect.never, { type: 1, concurrency: 1 }))
      yield* Effect.fork(server.serve(answer("two"), { type: 2 }))
      yield* settle
      const calls = yield* Effect.fork(
        Effect.forEach(Array(6), () => Effect.exit(ask(client, 1)), { concurrency: "unbounded" })
      )
      const two = yield* Effect.fork(ask(client, 2))
      yield* settle
      assert.strictEqual(yield* Fiber.join(two), "two")
      assert.containSubset(yield* server.stats, { backlog: 2, inboundStreams: 3, charged: { refusals: 3 } })
      yield* Fiber.interrupt(calls)
    }).pipe(scenario)
  )

  it.effect("streams that waited before the first serve are kept for all serves that start in one turn", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const calls = yield* Effect.fork(
        Effect.forEach([3, 2, 1], (type) => Effect.either(ask(client, type)), { concurrency: "unbounded" })
      )
      yield* settle
      assert.strictEqual((yield* server.stats).backlog, 3)
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      yield* Effect.fork(server.serve(answer("two"), { type: 2 }))
      const [three, two, one] = yield* Fiber.join(calls)
      assert.containSubset(one, { right: "one" })
      assert.containSubset(two, { right: "two" })
      assert.containSubset(three, { left: { _tag: "StreamReset", code: ErrorCode.StreamRefused, processed: "no" } })
      assert.strictEqual((yield* server.stats).backlog, 0)
    }).pipe(scenario)
  )

  it.effect("layers that start their serves beside each other lose no stream that waited", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const calls = yield* Effect.fork(
        Effect.forEach([1, 2, 3], (type) => ask(client, type), { concurrency: "unbounded" })
      )
      yield* settle
      class Used extends Context.Tag("Used")<Used, string>() {}
      const layer = (type: number) =>
        Layer.scopedDiscard(
          Effect.flatMap(Used, (used) => Effect.forkScoped(server.serve(answer(`${used} ${type}`), { type })))
        )
      const uses = Layer.effect(Used, Effect.succeed("type"))
      yield* Layer.build(Layer.provide(Layer.mergeAll(layer(1), layer(2), layer(3)), uses))
      assert.deepStrictEqual(yield* Fiber.join(calls), ["type 1", "type 2", "type 3"])
    }).pipe(scenario)
  )

  it.effect("as long as none runs, streams wait, also after one has run", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const first = yield* Effect.fork(server.serve(answer("first"), { type: 1 }))
      assert.strictEqual(yield* ask(client, 1), "first")
      yield* Fiber.interrupt(first)
      const call = yield* Effect.fork(ask(client, 1))
      yield* settle
      assert.strictEqual((yield* server.stats).backlog, 1)
      yield* Effect.fork(server.serve(answer("second"), { type: 1 }))
      assert.strictEqual(yield* Fiber.join(call), "second")
    }).pipe(scenario)
  )

  it.effect("when one ends while another runs, its waiting streams are refused, and later ones too", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      const two = yield* Effect.fork(server.serve(() => Effect.never, { type: 2, concurrency: 1 }))
      yield* settle
      yield* client.open({ type: 2 })
      const waiting = yield* Effect.fork(ask(client, 2))
      yield* settle
      assert.strictEqual((yield* server.stats).backlog, 1)
      yield* Fiber.interrupt(two)
      yield* assertRefused(Fiber.join(waiting))
      yield* assertRefused(ask(client, 2))
    }).pipe(scenario)
  )

  it.effect("one that starts before another of its type ends takes the streams that waited for it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      const old = yield* Effect.fork(server.serve(() => Effect.never, { type: 2, concurrency: 1 }))
      yield* settle
      yield* client.open({ type: 2 })
      const waiting = yield* Effect.fork(ask(client, 2))
      yield* settle
      yield* Effect.fork(server.serve(answer("new"), { type: 2 }))
      yield* Fiber.interrupt(old)
      assert.strictEqual(yield* Fiber.join(waiting), "new")
    }).pipe(scenario)
  )

  it.effect(
    "streams that waited before the first serve go to the serve of their type, if one without types is first",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* makePair()
        const calls = yield* Effect.fork(Effect.forEach([1, 2], (type) => ask(client, type), { concurrency: 2 }))
        yield* settle
        yield* Effect.fork(server.serve(answer("rest")))
        yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
        assert.deepStrictEqual(yield* Fiber.join(calls), ["one", "rest"])
      }).pipe(scenario)
  )

  it.effect("a serve without types gets the waiting streams of a type whose serve ends", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("rest")))
      const one = yield* Effect.fork(server.serve(() => Effect.never, { type: 1, concurrency: 1 }))
      yield* client.open({ type: 1 })
      const call = yield* Effect.fork(ask(client, 1))
      yield* settle
      assert.strictEqual((yield* server.stats).backlog, 1)
      yield* Fiber.interrupt(one)
      assert.strictEqual(yield* Fiber.join(call), "rest")
    }).pipe(scenario)
  )

  it.effect("a drain lets the streams finish that wait for a busy serve", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const hold = yield* Deferred.make<void>()
      const serving = yield* Effect.fork(
        server.serve((stream) => Effect.zipRight(Deferred.await(hold), answer("one")(stream)), {
          type: 1,
          concurrency: 1
        })
      )
      const other = yield* Effect.fork(server.serve(answer("two"), { type: 2 }))
      yield* settle
      const calls = yield* Effect.fork(Effect.all([ask(client, 1), ask(client, 1)], { concurrency: 2 }))
      yield* settle
      const draining = yield* Effect.fork(server.drain("1 minute"))
      yield* Fiber.join(other)
      yield* Deferred.succeed(hold, undefined)
      assert.deepStrictEqual(yield* Fiber.join(calls), ["one", "one"])
      yield* Fiber.join(serving)
      yield* Fiber.join(draining)
    }).pipe(scenario)
  )
})

describe("accept beside serve", () => {
  it.effect("takes the streams that no running serve takes", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      const accepted = yield* Effect.fork(server.accept)
      yield* settle
      const call = yield* Effect.fork(ask(client, 2))
      assert.strictEqual(yield* ask(client, 1), "one")
      const stream = yield* Fiber.join(accepted)
      assert.strictEqual(stream.type, 2)
      yield* MuxStream.write(stream, "two")
      yield* MuxStream.close(stream)
      assert.strictEqual(yield* Fiber.join(call), "two")
    }).pipe(scenario)
  )

  it.effect("leaves a stream that waits for a busy serve to that serve", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(() => Effect.never, { concurrency: 1 }))
      yield* client.open()
      yield* client.open()
      yield* settle
      const accepting = yield* Effect.fork(server.accept)
      yield* settle
      assert.strictEqual((yield* server.stats).backlog, 1)
      yield* Fiber.interrupt(accepting)
    }).pipe(scenario)
  )

  it.effect("called again and again, it gets every stream of a burst", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      const accepting = Effect.scoped(
        Effect.flatMap(server.accept, (stream) => MuxStream.write(stream, `accepted ${stream.type}`))
      )
      const types = Array.from({ length: 40 }, (_, i) => i + 2)
      yield* Effect.fork(Effect.forEach(types, () => accepting))
      yield* settle
      const answers = yield* Effect.forEach(types, (type) => ask(client, type), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        answers,
        types.map((type) => `accepted ${type}`)
      )
    }).pipe(scenario)
  )

  it.effect("gets a stream that arrived in the turn in which a serve of other types starts", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const accepted = yield* Effect.fork(Effect.all([server.accept, server.accept]))
      yield* settle
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      yield* Effect.fork(client.open({ type: 2 }))
      yield* Effect.fork(client.open({ type: 3 }))
      assert.deepStrictEqual(
        (yield* Fiber.join(accepted)).map(({ type }) => type),
        [2, 3]
      )
    }).pipe(scenario)
  )

  it.effect("a stream of a burst that no fiber accepts is refused when the fibers have run", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      const accepting = yield* Effect.fork(server.accept)
      yield* settle
      const first = yield* Effect.fork(ask(client, 2))
      const second = yield* Effect.fork(ask(client, 3))
      assert.strictEqual((yield* Fiber.join(accepting)).type, 2)
      yield* assertRefused(Fiber.join(second))
      assert.strictEqual((yield* server.stats).backlog, 0)
      yield* Fiber.interrupt(first)
    }).pipe(scenario)
  )

  it.effect("a stream whose accept is interrupted when it arrives is refused, or goes to the next accept", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(answer("one"), { type: 1 }))
      const [interrupted, next] = [yield* Effect.fork(server.accept), yield* Effect.fork(server.accept)]
      yield* settle
      yield* Fiber.interrupt(interrupted)
      const call = yield* Effect.fork(ask(client, 2))
      assert.strictEqual((yield* Fiber.join(next)).type, 2)
      yield* assertRefused(ask(client, 2))
      yield* Fiber.interrupt(call)
    }).pipe(scenario)
  )
})

describe("the type of serve", () => {
  const dies = (session: Session.SessionService, type: unknown) =>
    Effect.map(Effect.sandbox(session.serve(() => Effect.void, { type: wrong(type) })).pipe(Effect.flip), (cause) =>
      Cause.squash(cause)
    )

  it.effect("is checked like the type of open", () =>
    Effect.gen(function* () {
      const { server } = yield* makePair()
      for (const type of [-1, 1.5, 0xffffffff, 2 ** 32, "1", null, {}, new Set([1]), [1, "2"], [[1]], NaN]) {
        const error = yield* dies(server, type)
        assert.containSubset(error, { _tag: "InvalidOptions" })
        assert.match(String(error), /serve: the stream type must be a uint32 below 0xFFFFFFFF, not /)
      }
      assert.match(String(yield* dies(server, [])), /serve: the list of types must not be empty/)
    }).pipe(scenario)
  )

  it.effect("is a defect on an untyped session, whose streams go to the serve without types", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { typed: false, heartbeat: false } })
      const error = yield* dies(server, 1)
      assert.containSubset(error, { _tag: "InvalidOptions" })
      assert.match(String(error), /serve: this session is untyped/)
      yield* Effect.fork(server.serve(answer("untyped")))
      assert.strictEqual(yield* ask(client), "untyped")
    }).pipe(scenario)
  )

  it.effect("is copied: the caller may change its list later", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const types = [1]
      const serving = server.serve(answer("one"), { type: types })
      yield* Effect.fork(serving)
      yield* settle
      types[0] = 2
      assert.strictEqual(yield* ask(client, 1), "one")
      yield* assertRefused(ask(client, 2))
    }).pipe(scenario)
  )
})
