import { assert, describe, it } from "@effect/vitest"
import { SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { eagerly } from "../support/eagerScheduler.js"
import { assertSameBytes, join, noise, readBytes, readToEnd, writeInBatches } from "../support/transport/suite.js"

/** Each fiber that is woken goes on inside the call that wakes it. A hang ends with `NotDone`, which says what waits. */
const inVirtualTime = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  program.pipe(Effect.scoped, VirtualTime.run, eagerly)

const test = <A, E>(
  name: string,
  options: SimulatedTransport.Options,
  body: (pair: SimulatedTransport.Pair) => Effect.Effect<A, E, Scope.Scope>
) => it.effect(name, () => inVirtualTime(Effect.flatMap(SimulatedTransport.makePair(options), body)))

const links: fc.Arbitrary<SimulatedTransport.Options> = fc.record({
  latency: fc.constantFrom(0, 0.3, 70),
  jitter: fc.constantFrom(0, 1),
  bandwidth: fc.constantFrom(undefined, 20_000),
  chunking: fc.oneof<fc.Arbitrary<SimulatedTransport.Options["chunking"]>[]>(
    fc.constantFrom("whole" as const, "byte" as const, "joined" as const),
    fc
      .record({ min: fc.integer({ min: 1, max: 50 }), more: fc.nat(200), joined: fc.boolean() })
      .map(({ joined, min, more }) => ({ min, max: min + more, joined }))
  ),
  seed: fc.integer(),
  bufferSize: fc.constantFrom(1, 7, 50, 65_536)
})

const ERROR_REASON = <A>(error: { readonly reason: A }): A => error.reason

describe("SimulatedTransport, if a woken fiber runs inside the call that wakes it", () => {
  it.effect.prop(
    "delivers every byte once and in order, both ways at once, and never holds more than its buffer",
    [links, fc.integer({ min: 1, max: 300 }), fc.nat()],
    ([link, amount, seed]) =>
      Effect.gen(function* () {
        const pair = yield* SimulatedTransport.makePair(link)
        const sent = [noise(amount, seed), noise(amount, seed + 1)] as const
        const send = (side: "client" | "server", bytes: Uint8Array) =>
          Effect.zipRight(writeInBatches(pair[side], bytes, seed), pair[side].end)
        const [, , toServer, toClient] = yield* Effect.all(
          [send("client", sent[0]), send("server", sent[1]), readToEnd(pair.server), readToEnd(pair.client)],
          { concurrency: "unbounded" }
        )
        assertSameBytes(toServer[0], sent[0])
        assertSameBytes(toClient[0], sent[1])
        assert.deepStrictEqual([toServer[1], toClient[1]], ["Ended", "Ended"])
        const all = { written: amount, read: amount }
        assert.deepStrictEqual(yield* pair.stats, { clientToServer: all, serverToClient: all })
        const held = { clientToServer: 0, serverToClient: 0 }
        for (const { bytes, direction, event } of (yield* pair.trace).events) {
          if (direction === "both" || (event !== "write" && event !== "read")) continue
          held[direction] += event === "write" ? bytes : -bytes
          assert.isTrue(0 <= held[direction] && held[direction] <= (link.bufferSize ?? 0))
        }
      }).pipe(inVirtualTime),
    { fastCheck: { numRuns: 60 } }
  )

  test(
    "a write that is larger than the buffer completes while its bytes are read in the step that offers them",
    { bufferSize: 7 },
    ({ client, server }) =>
      Effect.gen(function* () {
        const sent = noise(100, 1)
        const reading = yield* Effect.fork(readBytes(server, sent.length))
        yield* client.write([sent])
        assertSameBytes(yield* Fiber.join(reading), sent)
      })
  )

  test("two writers share the buffer, and both complete", { bufferSize: 10 }, ({ client, server, stats }) =>
    Effect.gen(function* () {
      const writing = yield* Effect.fork(
        Effect.all([client.write([noise(35, 1)]), client.write([noise(46, 2)])], { concurrency: 2 })
      )
      const received = yield* readBytes(server, 81)
      yield* Fiber.join(writing)
      assert.strictEqual(received.length, 81)
      assert.deepStrictEqual((yield* stats).clientToServer, { written: 81, read: 81 })
    })
  )

  test("a write waits while the buffer is full, and continues when half of it is free", { bufferSize: 10 }, (pair) =>
    Effect.gen(function* () {
      const { client, server } = pair
      const writing = yield* Effect.fork(client.write([noise(10, 1), noise(4, 2)]))
      assert.deepStrictEqual((yield* pair.stats).clientToServer, { written: 10, read: 0 })
      assertSameBytes(yield* server.read, noise(10, 1))
      assert.deepStrictEqual((yield* pair.stats).clientToServer, { written: 14, read: 10 })
      yield* Fiber.join(writing)
      assertSameBytes(yield* server.read, noise(4, 2))
    })
  )

  for (const cut of ["by a fault that is injected", "when its direction has carried enough bytes"] as const) {
    test(
      `writes and reads that wait fail on both sides when the connection is cut ${cut}`,
      { bufferSize: 10 },
      ({ client, inject, server }) =>
        Effect.gen(function* () {
          const outcomes: Array<string> = []
          // both links are full, and every operation that fails is tried again inside the call that wakes it
          yield* client.write([noise(10, 1)])
          yield* server.write([noise(8, 2)])
          const waiting = yield* Effect.forEach([client, server], (side) =>
            Effect.fork(
              Effect.gen(function* () {
                outcomes.push(ERROR_REASON(yield* Effect.flip(side.write([noise(20, 3)]))))
                outcomes.push(ERROR_REASON(yield* Effect.flip(side.write([noise(1, 4)]))))
                yield* side.end
              })
            )
          )
          if (cut === "by a fault that is injected") yield* inject({ cut: true })
          else yield* inject({ serverToClient: { cutAt: 10 } })
          for (const fiber of waiting) yield* Fiber.join(fiber)
          assert.deepStrictEqual(outcomes, ["Write", "Write", "Write", "Write"])
          assert.deepStrictEqual(yield* Effect.map(readToEnd(client), ([, reason]) => reason), "Read")
        })
    )
  }

  test("only the bytes before the cut are read", {}, ({ client, inject, server }) =>
    Effect.gen(function* () {
      yield* inject({ clientToServer: { cutAt: 12 } })
      const reading = yield* Effect.fork(readToEnd(server))
      const sent = noise(30, 1)
      const writing = yield* Effect.fork(Effect.flip(client.write([sent])))
      const [received, reason] = yield* Fiber.join(reading)
      assertSameBytes(received, sent.slice(0, 12))
      assert.strictEqual(reason, "Read")
      assert.strictEqual((yield* Fiber.join(writing)).reason, "Write")
    })
  )

  test(
    "an end still arrives if the writer that it wakes destroys its side",
    { bufferSize: 4 },
    ({ client, server, trace }) =>
      Effect.gen(function* () {
        const writing = yield* client.write([noise(9, 1)]).pipe(
          Effect.tapError(() => client.destroy),
          Effect.flip,
          Effect.fork
        )
        yield* client.end
        assert.strictEqual((yield* Fiber.join(writing)).reason, "Write")
        assert.deepStrictEqual(yield* readToEnd(server), [noise(9, 1).slice(0, 4), "Ended"])
        const events = (yield* trace).events.map(({ event }) => event)
        assert.deepStrictEqual(events, ["write", "end", "destroy", "read", "ended"])
      })
  )

  test("a read that waits for the end is in the trace once", { latency: 20 }, ({ client, server, trace }) =>
    Effect.gen(function* () {
      const reading = yield* Effect.fork(readToEnd(server))
      yield* client.end
      assert.deepStrictEqual(yield* Fiber.join(reading), [new Uint8Array(0), "Ended"])
      assert.deepStrictEqual(
        (yield* trace).events.map(({ at, event }) => [at, event]),
        [
          [0, "end"],
          [20, "ended"]
        ]
      )
    })
  )

  test(
    "operations that wait on either side fail when one side is destroyed",
    { bufferSize: 4, latency: "1 second" },
    ({ client, server }) =>
      Effect.gen(function* () {
        const writing = yield* Effect.forEach([client, server], (side) =>
          Effect.fork(Effect.flip(side.write([noise(9, 1)])))
        )
        const reading = yield* Effect.forEach([client, server], (side) => Effect.fork(readToEnd(side)))
        yield* client.destroy
        const [toClient, toServer] = yield* Effect.forEach(reading, Fiber.join)
        assert.deepStrictEqual(toClient, [new Uint8Array(0), "Read"])
        assert.deepStrictEqual(toServer, [noise(9, 1).slice(0, 4), "Read"])
        for (const fiber of writing) assert.strictEqual((yield* Fiber.join(fiber)).reason, "Write")
      })
  )

  test(
    "a fiber that a destroy wakes finds the transport destroyed, and a second destroy does nothing",
    {},
    ({ client, server, trace }) =>
      Effect.gen(function* () {
        const reading = yield* client.read.pipe(
          Effect.tapError(() => client.destroy),
          Effect.tapError(() => Effect.flip(client.write([noise(3, 1)]))),
          Effect.flip,
          Effect.fork
        )
        yield* client.destroy
        yield* Fiber.join(reading)
        assert.strictEqual((yield* Effect.flip(server.read)).reason, "Read")
        assert.deepStrictEqual(
          (yield* trace).events.map(({ event }) => event),
          ["destroy", "reset"]
        )
      })
  )

  test(
    "a partition keeps bytes that had arrived, and a cut ends all operations that wait in it",
    { bufferSize: 10, latency: 20 },
    (pair) =>
      Effect.gen(function* () {
        const { blackHole, client, cut, server } = pair
        yield* client.write([noise(4, 1)])
        yield* Effect.sleep(30)
        const early = yield* Effect.fork(readBytes(server, 4))
        yield* client.write([noise(2, 2)])
        yield* blackHole
        assertSameBytes(yield* Fiber.join(early), noise(4, 1))
        const reading = yield* Effect.fork(Effect.flip(server.read))
        const writing = yield* Effect.fork(Effect.flip(client.write([noise(40, 3)])))
        const ending = yield* Effect.fork(server.end)
        yield* Effect.sleep("1 hour")
        for (const fiber of [reading, writing, ending]) assert.isNull(fiber.unsafePoll())
        assert.deepStrictEqual((yield* pair.stats).clientToServer, { written: 14, read: 4 })
        yield* cut
        assert.strictEqual((yield* Fiber.join(reading)).reason, "Read")
        assert.strictEqual((yield* Fiber.join(writing)).reason, "Write")
        yield* Fiber.join(ending)
      })
  )

  it.effect("a replay gives every chunk to a reader that reads again at once", () =>
    Effect.gen(function* () {
      const recorded = yield* SimulatedTransport.makePair({ latency: 5, chunking: "byte", trace: { bytes: true } })
      const sent = noise(40, 1)
      yield* Effect.fork(Effect.zipRight(recorded.client.write([sent]), recorded.client.end))
      yield* readToEnd(recorded.server)
      const replay = yield* SimulatedTransport.replay(yield* recorded.trace, { direction: "clientToServer" })
      const chunks = yield* Effect.replicateEffect(replay.transport.read, sent.length)
      assertSameBytes(join(chunks), sent)
      assert.strictEqual((yield* Effect.flip(replay.transport.read)).reason, "Ended")
      const silent = yield* SimulatedTransport.replay(
        { seed: 0, dropped: 0, events: [] },
        { direction: "clientToServer" }
      )
      const reading = yield* Effect.fork(Effect.flip(silent.transport.read))
      yield* silent.transport.destroy
      assert.strictEqual((yield* Fiber.join(reading)).reason, "Read")
    }).pipe(inVirtualTime)
  )
})
