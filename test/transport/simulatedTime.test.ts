import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { Random } from "../../src/testing/internal/random.js"
import * as SimulatedTransport from "../../src/testing/SimulatedTransport.js"
import type { TransportService } from "../../src/Transport.js"
import { isDone } from "../support/session/sessions.js"
import { assertSameBytes, join, noise, readBytes, readToEnd, writeInBatches } from "../support/transport/suite.js"

/** Lets time pass until the fiber is done. */
const passTimeUntil = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    for (let hours = 0; hours < 10_000; hours++) {
      if (yield* isDone(fiber)) return yield* Fiber.join(fiber)
      yield* TestClock.adjust("1 hour")
    }
    return yield* Effect.dieMessage("not done after a year")
  })

/** Reads to the end, and interrupts itself a number of times at random moments before it does so in peace. */
const readRestlessly = (transport: TransportService, seed: number, interruptions: number) =>
  Effect.gen(function* () {
    const random = new Random(seed)
    const chunks: Array<Uint8Array> = []
    for (let i = 0; i < interruptions; i++) {
      const reading = yield* Effect.flatMap(transport.read, (chunk) => {
        chunks.push(chunk)
        return Effect.void
      }).pipe(Effect.fork)
      for (let turns = random.integer(6); turns > 0; turns--) yield* Effect.yieldNow()
      yield* Fiber.interrupt(reading)
    }
    const [rest] = yield* readToEnd(transport)
    return join([...chunks, rest])
  })

const options: fc.Arbitrary<SimulatedTransport.Options> = fc.record({
  latency: fc.constantFrom(0, 1, 0.3, 70),
  bandwidth: fc.constantFrom(undefined, 1, 1000, 123_456, 1e9),
  chunking: fc.oneof(
    fc.constantFrom("whole" as const, "byte" as const),
    fc.tuple(fc.integer({ min: 1, max: 50 }), fc.nat(200)).map(([min, more]) => ({ min, max: min + more }))
  ),
  seed: fc.integer(),
  bufferSize: fc.constantFrom(1, 2, 100, 65_536)
})

/** Bytes to send over such a link: few enough for the test's clock, which goes from one arrival to the next. */
const amountFor = (link: SimulatedTransport.Options, fillings: number) =>
  Math.min((link.bandwidth ?? Infinity) <= 1000 ? 60 : 4000, Math.ceil(fillings * (link.bufferSize ?? 0)))

describe("a simulated link", () => {
  it.effect.prop(
    "delivers every byte once and in order, with any options and any interruptions of reads",
    [options, fc.double({ min: 0, max: 9, noNaN: true }), fc.nat(), fc.nat(20)],
    ([link, fillings, seed, interruptions]) =>
      Effect.gen(function* () {
        const length = amountFor(link, fillings)
        const { client, server, stats } = yield* SimulatedTransport.makePair(link)
        const sent = noise(length, seed)
        const reading = yield* Effect.fork(readRestlessly(server, seed, interruptions))
        yield* Effect.fork(Effect.zipRight(writeInBatches(client, sent, seed), client.end))
        assertSameBytes(yield* passTimeUntil(reading), sent)
        assert.deepStrictEqual((yield* stats).clientToServer, { written: length, read: length })
      }).pipe(Effect.scoped),
    { fastCheck: { numRuns: 40 } }
  )

  it.effect.prop(
    "delivers a prefix of the bytes of an interrupted write, once",
    [options, fc.double({ min: 0, max: 9, noNaN: true }), fc.nat(20)],
    ([link, fillings, turns]) =>
      Effect.gen(function* () {
        const length = amountFor(link, fillings)
        const { client, server, stats } = yield* SimulatedTransport.makePair(link)
        const sent = noise(length, turns)
        const reading = yield* Effect.fork(readToEnd(server))
        const writing = yield* Effect.fork(client.write([sent]))
        for (let i = 0; i < turns; i++) yield* Effect.yieldNow()
        yield* Fiber.interrupt(writing)
        yield* client.end
        const [received, reason] = yield* passTimeUntil(reading)
        assert.strictEqual(reason, "Ended")
        assertSameBytes(received, sent.subarray(0, received.length))
        assert.deepStrictEqual((yield* stats).clientToServer, { written: received.length, read: received.length })
      }).pipe(Effect.scoped),
    { fastCheck: { numRuns: 40 } }
  )

  it.scoped("delivers without any time passing when there is no latency and no bandwidth", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedTransport.makePair({ chunking: { min: 1, max: 100 } })
      const sent = noise(200_000, 1)
      const reading = yield* Effect.fork(readBytes(server, sent.length))
      yield* writeInBatches(client, sent, 2)
      assertSameBytes(yield* Fiber.join(reading), sent)
    })
  )

  it.scoped("delivers a byte after the latency, and not before", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedTransport.makePair({ latency: "50 millis" })
      yield* client.write([new Uint8Array([1])])
      const reading = yield* Effect.fork(server.read)
      yield* TestClock.adjust("49 millis")
      assert.isFalse(yield* isDone(reading))
      yield* TestClock.adjust("1 millis")
      assert.isTrue(yield* isDone(reading))
    })
  )

  it.scoped("delivers bytes at the rate of the bandwidth, after the latency", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedTransport.makePair({
        latency: "50 millis",
        bandwidth: 1000,
        chunking: { min: 10, max: 10 }
      })
      yield* client.write([new Uint8Array(600)])
      yield* client.write([new Uint8Array(400)])
      const arrivals: Array<number> = []
      const reading = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 100 }), () =>
          Effect.zipRight(
            server.read,
            Effect.map(Clock.currentTimeMillis, (now) => arrivals.push(now))
          )
        )
      )
      for (let i = 0; i < 105; i++) yield* TestClock.adjust("10 millis")
      yield* Fiber.join(reading)
      assert.deepStrictEqual(
        arrivals,
        Array.from({ length: 100 }, (_, i) => 50 + 10 * (i + 1))
      )
    })
  )

  it.scoped("reads return chunks as the option says, and the same chunks for the same seed", () =>
    Effect.gen(function* () {
      const sizes = (chunking: SimulatedTransport.Options["chunking"], seed: number) =>
        Effect.gen(function* () {
          const { client, server } = yield* SimulatedTransport.makePair({ chunking, seed })
          yield* client.write([new Uint8Array(400), new Uint8Array(600)])
          const lengths: Array<number> = []
          for (let rest = 1000; rest > 0;) {
            const { length } = yield* server.read
            lengths.push(length)
            rest -= length
          }
          return lengths
        })
      assert.deepStrictEqual(yield* sizes("whole", 1), [1000])
      assert.deepStrictEqual(
        yield* sizes("byte", 1),
        Array.from({ length: 1000 }, () => 1)
      )
      const some = yield* sizes({ min: 20, max: 90 }, 1)
      assert.isTrue(some.every((size, i) => size <= 90 && (size >= 20 || i === some.length - 1)))
      assert.isAbove(new Set(some).size, 5)
      assert.deepStrictEqual(yield* sizes({ min: 20, max: 90 }, 1), some)
      assert.notDeepEqual(yield* sizes({ min: 20, max: 90 }, 2), some)
    })
  )

  it.scoped("suspends a writer while bufferSize bytes are unread", () =>
    Effect.gen(function* () {
      const { client, server, stats } = yield* SimulatedTransport.makePair({ bufferSize: 10 })
      yield* client.write([new Uint8Array(10)])
      const writing = yield* Effect.fork(client.write([new Uint8Array(3)]))
      yield* TestClock.adjust("1 hour")
      assert.isFalse(yield* isDone(writing))
      assert.deepStrictEqual((yield* stats).clientToServer, { written: 10, read: 0 })
      assert.deepStrictEqual((yield* stats).serverToClient, { written: 0, read: 0 })
      yield* server.read
      yield* Fiber.join(writing)
      assert.deepStrictEqual((yield* stats).clientToServer, { written: 13, read: 10 })
    })
  )

  it.scoped("refuses options out of range", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<SimulatedTransport.Options> = [
        { bandwidth: 0 },
        { bandwidth: NaN },
        { bufferSize: 0 },
        { bufferSize: 1.5 },
        { chunking: { min: 0, max: 1 } },
        { chunking: { min: 2, max: 1 } },
        { chunking: { min: 1, max: Infinity } }
      ]
      for (const link of wrong) {
        const exit = yield* Effect.exit(SimulatedTransport.makePair(link))
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof RangeError, JSON.stringify(link))
      }
    })
  )

  describe("a destroyed side", () => {
    it.scoped("is noticed after the latency, behind the bytes that are on their way", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({ latency: "50 millis", bufferSize: 10 })
        yield* client.write([new Uint8Array([1])])
        yield* server.write([new Uint8Array(10)])
        const writing = yield* Effect.fork(Effect.flip(server.write([new Uint8Array(1)])))
        yield* client.destroy
        const reading = yield* Effect.fork(readToEnd(server))
        yield* TestClock.adjust("49 millis")
        assert.deepStrictEqual([yield* isDone(reading), yield* isDone(writing)], [false, false])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* Fiber.join(reading), [new Uint8Array([1]), "Read"])
        const error = yield* Fiber.join(writing)
        assert.deepStrictEqual([error.reason, error.initiator], ["Write", "Remote"])
        assert.strictEqual((yield* Effect.flip(client.read)).initiator, "Local")
      })
    )

    it.scoped("loses bytes that the line had not sent yet", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({ bandwidth: 1000, chunking: "byte" })
        yield* client.write([noise(100, 1)])
        yield* TestClock.adjust("30 millis")
        yield* client.destroy
        const [received, reason] = yield* readToEnd(server)
        assertSameBytes(received, noise(100, 1).subarray(0, 30))
        assert.strictEqual(reason, "Read")
      })
    )

    it.scoped("still delivers what it wrote before its end", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({ latency: 5, bandwidth: 1000 })
        yield* client.write([noise(100, 1)])
        yield* client.end
        yield* client.destroy
        const reading = yield* Effect.fork(readToEnd(server))
        assert.deepStrictEqual(yield* passTimeUntil(reading), [noise(100, 1), "Ended"])
      })
    )
  })

  describe("cut", () => {
    it.scoped("fails pending reads and writes of both sides at once, and drops unread bytes", () =>
      Effect.gen(function* () {
        const { client, cut, server } = yield* SimulatedTransport.makePair({ latency: "1 second", bufferSize: 10 })
        const reading = yield* Effect.fork(Effect.flip(client.read))
        yield* client.write([new Uint8Array(10)])
        const writing = yield* Effect.fork(Effect.flip(client.write([new Uint8Array(1)])))
        yield* TestClock.adjust("2 seconds")
        yield* cut
        assert.strictEqual((yield* Fiber.join(reading)).reason, "Read")
        assert.strictEqual((yield* Fiber.join(writing)).reason, "Write")
        assert.strictEqual((yield* Effect.flip(server.read)).reason, "Read")
        assert.strictEqual((yield* Effect.flip(server.write([new Uint8Array(1)]))).reason, "Write")
        yield* server.end
      })
    )

    it.scoped("ends operations that wait behind a black hole", () =>
      Effect.gen(function* () {
        const { blackHole, client, cut, server } = yield* SimulatedTransport.makePair()
        yield* blackHole
        const ending = yield* Effect.fork(client.end)
        const reading = yield* Effect.fork(Effect.flip(server.read))
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual([yield* isDone(ending), yield* isDone(reading)], [false, false])
        yield* cut
        yield* Fiber.join(ending)
        assert.strictEqual((yield* Fiber.join(reading)).reason, "Read")
      })
    )
  })

  describe("blackHole", () => {
    it.scoped("keeps bytes that had arrived, loses the rest, and no side notices", () =>
      Effect.gen(function* () {
        const { blackHole, client, server, stats } = yield* SimulatedTransport.makePair({
          latency: "50 millis",
          bufferSize: 10
        })
        yield* client.write([new Uint8Array([1])])
        yield* TestClock.adjust("50 millis")
        yield* client.write([new Uint8Array([2])])
        const late = yield* Effect.fork(Effect.zipRight(server.read, server.read))
        yield* TestClock.adjust("10 millis")
        yield* blackHole
        yield* client.write([new Uint8Array(8)])
        const writing = yield* Effect.fork(client.write([new Uint8Array(8)]))
        const ending = yield* Effect.fork(server.end)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual((yield* stats).clientToServer, { written: 11, read: 1 })
        for (const fiber of [late, writing, ending]) assert.isFalse(yield* isDone<unknown, unknown>(fiber))
        yield* client.destroy
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(late), "a destroy is not noticed")
        assert.isTrue(Exit.isFailure(yield* Fiber.await(writing)))
        yield* server.destroy
        assert.isTrue(Exit.isFailure(yield* Fiber.await(late)))
        yield* Fiber.join(ending)
      })
    )

    it.scoped("drops an end and a reset that are in transit", () =>
      Effect.gen(function* () {
        const { blackHole, client, server } = yield* SimulatedTransport.makePair({ latency: "50 millis" })
        yield* client.end
        yield* server.destroy
        const readings = yield* Effect.fork(Effect.flip(client.read))
        yield* blackHole
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(readings))
      })
    )
  })

  it.scoped("stallWrites suspends writes until a destroy, and does not change reads", () =>
    Effect.gen(function* () {
      const { client, server, stallWrites } = yield* SimulatedTransport.makePair()
      yield* client.write([new Uint8Array([1])])
      yield* stallWrites
      const writing = yield* Effect.fork(Effect.flip(client.write([new Uint8Array([2])])))
      yield* TestClock.adjust("1 hour")
      assert.isFalse(yield* isDone(writing))
      assert.deepStrictEqual(yield* server.read, new Uint8Array([1]))
      yield* TestClock.adjust("1 hour")
      assert.isFalse(yield* isDone(writing))
      yield* client.destroy
      assert.strictEqual((yield* Fiber.join(writing)).reason, "Write")
    })
  )

  it.scoped("with neverEnd, end sends nothing and never completes", () =>
    Effect.gen(function* () {
      const { client, neverEnd, server } = yield* SimulatedTransport.makePair()
      yield* neverEnd
      const ending = yield* Effect.fork(client.end)
      const reading = yield* Effect.fork(Effect.flip(server.read))
      yield* TestClock.adjust("1 hour")
      assert.isFalse(yield* isDone(reading))
      assert.strictEqual((yield* Effect.flip(client.write([new Uint8Array(1)]))).initiator, "Local")
      yield* client.destroy
      assert.strictEqual((yield* Fiber.join(reading)).reason, "Read")
      assert.isFalse(yield* isDone(ending))
    })
  )
})
