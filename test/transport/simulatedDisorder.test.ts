import { assert, describe, it } from "@effect/vitest"
import { SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { fraction, stalled } from "../../src/testing/internal/disorder.js"
import { assertSameBytes, noise, readToEnd, writeInBatches } from "../support/transport/suite.js"

const links: fc.Arbitrary<SimulatedTransport.Options> = fc.record({
  latency: fc.constantFrom(0, 0.3, 70),
  jitter: fc.constantFrom(0, 1, 0.7, 200),
  stalls: fc.constantFrom(
    undefined,
    { every: "10 millis", upTo: "3 millis" },
    { every: "1 second", upTo: "1 second" },
    { every: 0.5, upTo: 0.2 }
  ),
  bandwidth: fc.constantFrom(undefined, 20_000, 1e9),
  chunking: fc.oneof<fc.Arbitrary<SimulatedTransport.Options["chunking"]>[]>(
    fc.constantFrom("whole" as const, "byte" as const, "joined" as const),
    fc
      .record({ min: fc.integer({ min: 1, max: 50 }), more: fc.nat(200), joined: fc.boolean() })
      .map(({ joined, min, more }) => ({ min, max: min + more, joined }))
  ),
  seed: fc.integer(),
  bufferSize: fc.constantFrom(50, 1000, 65_536)
})

/** Few enough bytes for the test's clock, which goes from one arrival to the next. */
const amountFor = (link: SimulatedTransport.Options) =>
  link.bufferSize === 50 || link.bandwidth === 20_000 ? 200 : 2000

/** Sends some bytes each way at once over such a link, to the end; gives what was read, and the trace. */
const exchange = (link: SimulatedTransport.Options, seed: number) =>
  Effect.gen(function* () {
    const pair = yield* SimulatedTransport.makePair({ ...link, trace: { bytes: true } })
    const sent = [noise(amountFor(link), seed), noise(amountFor(link), seed + 1)] as const
    const send = (side: "client" | "server", bytes: Uint8Array) =>
      Effect.zipRight(writeInBatches(pair[side], bytes, seed), pair[side].end)
    const [, , toServer, toClient] = yield* Effect.all(
      [send("client", sent[0]), send("server", sent[1]), readToEnd(pair.server), readToEnd(pair.client)],
      { concurrency: "unbounded" }
    )
    return { sent, toServer, toClient, trace: yield* pair.trace }
  }).pipe(Effect.scoped, VirtualTime.run)

describe("a simulated link in disorder", () => {
  it.effect.prop(
    "delivers every byte once and in order, with any jitter, stalls and chunks",
    [links, fc.nat()],
    ([link, seed]) =>
      Effect.map(exchange(link, seed), ({ sent, toClient, toServer }) => {
        assertSameBytes(toServer[0], sent[0])
        assertSameBytes(toClient[0], sent[1])
        assert.deepStrictEqual([toServer[1], toClient[1]], ["Ended", "Ended"])
      }),
    { fastCheck: { numRuns: 25 } }
  )

  it.effect.prop(
    "repeats itself exactly with the same seed",
    [links, fc.nat()],
    ([link, seed]) =>
      Effect.gen(function* () {
        // the clock goes on from one run to the next: what counts is the time since the pair was made
        const first = yield* exchange(link, seed)
        const second = yield* exchange(link, seed)
        assert.deepStrictEqual(second.trace, first.trace)
      }),
    { fastCheck: { numRuns: 10 } }
  )

  it.effect("runs differently with another seed", () =>
    Effect.gen(function* () {
      const link = { latency: 5, jitter: 50, chunking: { min: 1, max: 500 } }
      const first = yield* exchange({ ...link, seed: 1 }, 1)
      const second = yield* exchange({ ...link, seed: 2 }, 1)
      assert.notDeepEqual(second.trace.events, first.trace.events)
    })
  )

  it.effect.prop(
    "stalls once in each period, for at most the given time, and keeps the order",
    [fc.integer(), fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0.01, max: 1, noNaN: true })],
    ([seed, every, part]) =>
      Effect.sync(() => {
        const upTo = every * part
        let [last, waits] = [0, 0]
        for (let i = 0; i < 500; i++) {
          const at = (i * every) / 50
          const delivered = stalled({ every, upTo }, seed, at)
          assert.isAtLeast(delivered, at)
          assert.isAtMost(delivered - at, upTo)
          assert.isAtLeast(delivered, last)
          if (delivered > at) waits++
          last = delivered
        }
        if (part > 0.9) assert.isAbove(waits, 0)
      })
  )

  it("has random numbers that differ for all seeds and indexes, with a mean of about 0.5", () => {
    const drawn = Array.from({ length: 1000 }, (_, i) => fraction(i % 10, Math.floor(i / 10)))
    assert.strictEqual(new Set(drawn).size, 1000)
    assert.isTrue(drawn.every((value) => value >= 0 && value < 1))
    assert.closeTo(drawn.reduce((sum, value) => sum + value, 0) / 1000, 0.5, 0.05)
  })

  it.scoped("jitter delays each write separately, by at most its value", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedTransport.makePair({ latency: 100, jitter: 40, seed: 5 })
      const arrivals: Array<number> = []
      const reading = yield* Effect.fork(
        Effect.repeatN(
          Effect.zipRight(
            server.read,
            Effect.map(Clock.currentTimeMillis, (now) => arrivals.push(now))
          ),
          19
        )
      )
      for (let i = 0; i < 20; i++) {
        yield* client.write([new Uint8Array(1)])
        yield* TestClock.adjust("1 second")
      }
      yield* Fiber.join(reading)
      const delays = arrivals.map((at, i) => at - i * 1000)
      assert.isTrue(delays.every((delay) => delay >= 100 && delay <= 140))
      assert.isAbove(new Set(delays).size, 8)
    })
  )

  it.scoped("with jitter, a reset never overtakes bytes that were sent before it", () =>
    Effect.gen(function* () {
      for (let seed = 0; seed < 20; seed++) {
        const { client, server } = yield* SimulatedTransport.makePair({ jitter: "1 second", seed })
        yield* client.write([noise(10, seed)])
        yield* client.destroy
        assert.deepStrictEqual(yield* VirtualTime.run(readToEnd(server)), [noise(10, seed), "Read"])
      }
    })
  )

  it.scoped("bytes that would arrive during a stall arrive together at its end", () =>
    Effect.gen(function* () {
      const { client, server, trace } = yield* SimulatedTransport.makePair({
        stalls: { every: "10 seconds", upTo: "10 seconds" },
        chunking: "joined",
        seed: 2
      })
      const reading = yield* Effect.fork(readToEnd(server))
      for (let i = 0; i < 100; i++) {
        yield* client.write([new Uint8Array([i])])
        yield* TestClock.adjust("100 millis")
      }
      yield* client.end
      yield* VirtualTime.run(Fiber.join(reading))
      const sizes = (yield* trace).events.flatMap((event) => (event.event === "read" ? [event.bytes] : []))
      assert.strictEqual(
        sizes.reduce((sum, size) => sum + size, 0),
        100
      )
      assert.strictEqual(sizes.filter((size) => size > 1).length, 1)
    })
  )

  it.scoped(
    "joined reads return all bytes that have arrived, of several writes and of a part of one, and no more",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          bandwidth: 1000,
          latency: 5,
          chunking: "joined"
        })
        yield* client.write([noise(30, 1)])
        yield* client.write([noise(30, 2)])
        yield* TestClock.adjust("45 millis")
        assert.deepStrictEqual(yield* server.read, new Uint8Array([...noise(30, 1), ...noise(10, 2)]))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* server.read, noise(30, 2).slice(10))
      })
  )

  it.scoped("joined reads with bounds return bytes of several writes, within the bounds", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedTransport.makePair({ chunking: { min: 7, max: 7, joined: true } })
      for (let i = 0; i < 7; i++) yield* client.write([new Uint8Array([i, i])])
      assert.deepStrictEqual(yield* server.read, new Uint8Array([0, 0, 1, 1, 2, 2, 3]))
      assert.deepStrictEqual(yield* server.read, new Uint8Array([3, 4, 4, 5, 5, 6, 6]))
    })
  )
})
