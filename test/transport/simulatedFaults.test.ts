import { assert, describe, it } from "@effect/vitest"
import { SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { ending } from "../support/session/sessionTest.js"
import { isDone } from "../support/session/sessions.js"
import { assertSameBytes, noise, readToEnd, writeForEver, writeInBatches } from "../support/transport/suite.js"

/** Each fault is the same whether it was there from the start or is injected. */
const bothWays = (
  title: string,
  faults: SimulatedTransport.Faults,
  body: (pair: SimulatedTransport.Pair) => Effect.Effect<void, unknown>
) => {
  it.scoped(`${title}, as an option`, () => Effect.flatMap(SimulatedTransport.makePair({ faults }), body))
  it.scoped(`${title}, injected`, () =>
    Effect.flatMap(SimulatedTransport.makePair(), (pair) => Effect.zipRight(pair.inject(faults), body(pair)))
  )
}

const chunkings = fc.constantFrom<Array<SimulatedTransport.Options["chunking"]>>("whole", "byte", "joined", {
  min: 3,
  max: 40
})

describe("a simulated link with faults", () => {
  describe("cutAt", () => {
    it.effect.prop(
      "lets exactly the given number of bytes through, then resets both sides",
      [fc.nat(600), chunkings, fc.constantFrom(0, 30), fc.constantFrom(0, 20), fc.constantFrom(10, 100_000)],
      ([cutAt, chunking, latency, jitter, bufferSize]) =>
        Effect.gen(function* () {
          const pair = yield* SimulatedTransport.makePair({
            chunking,
            latency,
            jitter,
            bufferSize,
            faults: { clientToServer: { cutAt } }
          })
          const sent = noise(601, cutAt)
          const writing = yield* Effect.fork(Effect.flip(pair.client.write([sent])))
          const back = yield* Effect.fork(readToEnd(pair.client))
          const [received, reason] = yield* readToEnd(pair.server)
          assertSameBytes(received, sent.subarray(0, cutAt))
          assert.strictEqual(reason, "Read")
          assert.strictEqual((yield* Fiber.join(back))[1], "Read")
          const error = yield* Fiber.join(writing)
          assert.deepStrictEqual([error.reason, error.initiator], ["Write", "Remote"])
          assert.strictEqual((yield* writeForEver(pair.server)).initiator, "Remote")
          assert.strictEqual((yield* pair.stats).clientToServer.written, cutAt)
        }).pipe(Effect.scoped, VirtualTime.run),
      { fastCheck: { numRuns: 50 } }
    )

    it.scoped("lets the other direction arrive until the cut, and not after it", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          latency: 100,
          faults: { clientToServer: { cutAt: 10 } }
        })
        yield* server.write([new Uint8Array([1])])
        yield* client.write([new Uint8Array(10)])
        yield* TestClock.adjust(50)
        yield* server.write([new Uint8Array([2])])
        assert.deepStrictEqual(yield* VirtualTime.run(readToEnd(client)), [new Uint8Array([1]), "Read"])
      })
    )

    it.scoped("counts from the first byte of the connection when it is injected, and waits for bytes in transit", () =>
      Effect.gen(function* () {
        const { client, inject, server } = yield* SimulatedTransport.makePair({ latency: 100 })
        yield* client.write([new Uint8Array(10)])
        yield* inject({ clientToServer: { cutAt: 10 } })
        assert.deepStrictEqual(yield* VirtualTime.run(readToEnd(server)), [new Uint8Array(10), "Read"])
      })
    )

    it.scoped("has no effect if the byte never arrives", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          faults: { clientToServer: { cutAt: 20, blackHoleAt: 10 } }
        })
        yield* client.write([new Uint8Array(20)])
        yield* server.write([new Uint8Array([1])])
        assert.deepStrictEqual(yield* client.read, new Uint8Array([1]))
        assert.deepStrictEqual(yield* server.read, new Uint8Array(10))
        const reading = yield* Effect.fork(server.read)
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(reading))
      })
    )
  })

  describe("corruptAt", () => {
    it.effect.prop(
      "changes exactly these bytes, with the given mask or with one from the seed",
      [fc.uniqueArray(fc.nat(499), { maxLength: 5 }), fc.integer({ min: 1, max: 255 }), chunkings, fc.integer()],
      ([offsets, xor, chunking, seed]) =>
        Effect.gen(function* () {
          const sent = noise(500, seed)
          const through = (corruptAt: SimulatedTransport.DirectionFaults["corruptAt"]) =>
            Effect.gen(function* () {
              const link = { chunking, seed, bufferSize: 64, faults: { clientToServer: { corruptAt } } }
              const { client, server } = yield* SimulatedTransport.makePair(link)
              yield* Effect.fork(Effect.zipRight(writeInBatches(client, sent, seed), client.end))
              return (yield* readToEnd(server))[0]
            }).pipe(Effect.scoped)

          const given = yield* through(offsets.map((at) => ({ at, xor })))
          assertSameBytes(
            given,
            sent.map((byte, i) => (offsets.includes(i) ? byte ^ xor : byte))
          )
          const seeded = yield* through(offsets)
          assert.deepStrictEqual(
            [...seeded].flatMap((byte, i) => (byte === sent[i] ? [] : [i])),
            [...offsets].sort((a, b) => a - b)
          )
          assertSameBytes(yield* through(offsets), seeded)
        }),
      { fastCheck: { numRuns: 30 } }
    )

    it.scoped("does not change the array of the writer", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          faults: { clientToServer: { corruptAt: { at: 1, xor: 0xff } } }
        })
        const bytes = new Uint8Array([1, 2, 3])
        yield* client.write([bytes])
        assert.deepStrictEqual(yield* server.read, new Uint8Array([1, 0xfd, 3]))
        assert.deepStrictEqual(bytes, new Uint8Array([1, 2, 3]))
      })
    )
  })

  describe("half-open", () => {
    bothWays("loses one direction, and the other continues", { clientToServer: { blackHole: true } }, (pair) =>
      Effect.gen(function* () {
        yield* pair.client.write([new Uint8Array(10)])
        const lost = yield* Effect.fork(pair.server.read)
        const ending = yield* Effect.fork(pair.client.end)
        const sent = noise(5000, 1)
        const reading = yield* Effect.fork(readToEnd(pair.client))
        yield* pair.server.write([sent])
        yield* pair.server.end
        assert.deepStrictEqual(yield* Fiber.join(reading), [sent, "Ended"])
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual([yield* isDone(lost), yield* isDone(ending)], [false, false])
      })
    )

    it.scoped("a destroy is noticed through the direction that is not lost, by reads and by writes", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          faults: { clientToServer: { blackHole: true } }
        })
        const reading = yield* Effect.fork(Effect.flip(client.read))
        yield* server.destroy
        assert.strictEqual((yield* Fiber.join(reading)).reason, "Read")
        assert.strictEqual((yield* writeForEver(client)).reason, "Write")
      })
    )

    it.scoped("a destroy is not noticed through the direction that is lost", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          bufferSize: 10,
          faults: { clientToServer: { blackHole: true } }
        })
        const reading = yield* Effect.fork(server.read)
        const writing = yield* Effect.fork(server.write([new Uint8Array(20)]))
        yield* client.destroy
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual([yield* isDone(reading), yield* isDone(writing)], [false, false])
      })
    )

    it.effect.prop(
      "blackHoleAt lets exactly the given number of bytes arrive",
      [fc.nat(100), chunkings],
      ([bytes, chunking]) =>
        Effect.gen(function* () {
          const link = { chunking, latency: 5, bufferSize: 200, faults: { serverToClient: { blackHoleAt: bytes } } }
          const { client, server, stats } = yield* SimulatedTransport.makePair(link)
          const sent = noise(101, bytes)
          yield* writeInBatches(server, sent, bytes)
          const received: Array<number> = []
          const reading = yield* Effect.fork(
            Effect.forever(Effect.flatMap(client.read, (chunk) => Effect.sync(() => received.push(...chunk))))
          )
          const ending = yield* Effect.fork(server.end)
          yield* TestClock.adjust("1 hour")
          assertSameBytes(Uint8Array.from(received), sent.subarray(0, bytes))
          assert.deepStrictEqual((yield* stats).serverToClient, { written: 101, read: bytes })
          assert.deepStrictEqual([yield* isDone(reading), yield* isDone(ending)], [false, false])
        }).pipe(Effect.scoped)
    )

    it.scoped("a black hole with a start time lets earlier bytes arrive", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          latency: 100,
          faults: { clientToServer: { blackHole: "1 second" } }
        })
        yield* TestClock.adjust(900)
        yield* client.write([new Uint8Array([1])])
        yield* TestClock.adjust(1)
        yield* client.write([new Uint8Array([2])])
        const reading = yield* Effect.fork(Effect.zip(server.read, server.read))
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(reading))
        assert.strictEqual(yield* client.write([new Uint8Array([3])]), undefined)
        yield* Fiber.interrupt(reading)
      })
    )
  })

  it.scoped("cut may have a start time, and fails the operations that are pending then", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedTransport.makePair({
        bufferSize: 5,
        faults: { cut: "1 second", clientToServer: { blackHole: true } }
      })
      const pending = [
        yield* Effect.fork(Effect.exit(client.read)),
        yield* Effect.fork(Effect.exit(client.write([new Uint8Array(10)]))),
        yield* Effect.fork(Effect.exit(server.read))
      ]
      yield* TestClock.adjust(999)
      for (const fiber of pending) assert.isFalse(yield* isDone<unknown, never>(fiber))
      const ending = yield* Effect.fork(client.end)
      yield* TestClock.adjust(1)
      for (const fiber of pending)
        assert.isTrue(Exit.isFailure(yield* Fiber.join<Exit.Exit<unknown, unknown>, never>(fiber)))
      yield* Fiber.join(ending)
      assert.strictEqual((yield* Effect.flip(server.write([]))).initiator, "Remote")
    })
  )

  it.scoped("a later cut does not delay an earlier one", () =>
    Effect.gen(function* () {
      const { client, cut, inject } = yield* SimulatedTransport.makePair()
      yield* inject({ cut: "1 second" })
      yield* cut
      yield* inject({ cut: "1 hour" })
      assert.strictEqual((yield* Effect.flip(client.read)).reason, "Read")
    })
  )

  describe("stallWrites", () => {
    it.scoped("of one direction does not change the other", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          faults: { clientToServer: { stallWrites: true } }
        })
        const writing = yield* Effect.fork(client.write([]))
        yield* server.write([new Uint8Array([1])])
        assert.deepStrictEqual(yield* client.read, new Uint8Array([1]))
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(writing))
      })
    )

    it.effect.prop("stallWritesAt accepts exactly the given number of bytes", [fc.nat(50)], ([bytes]) =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          chunking: "joined",
          faults: { clientToServer: { stallWritesAt: bytes } }
        })
        yield* client.write([noise(bytes, 1)])
        const writing = yield* Effect.fork(client.write([new Uint8Array(1)]))
        if (bytes > 0) assert.deepStrictEqual(yield* server.read, noise(bytes, 1))
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(writing))
      }).pipe(Effect.scoped)
    )
  })

  describe("operations that never complete", () => {
    bothWays("neverWrite sends the bytes, and hangs, even after a destroy", { client: { neverWrite: true } }, (pair) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(pair.client.write([new Uint8Array([1])]))
        assert.deepStrictEqual(yield* pair.server.read, new Uint8Array([1]))
        yield* pair.client.destroy
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(writing))
        yield* Fiber.interrupt(writing)
      })
    )

    bothWays("neverDestroy does nothing, and hangs", { server: { neverDestroy: true } }, (pair) =>
      Effect.gen(function* () {
        const destroying = yield* Effect.fork(pair.server.destroy)
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(destroying))
        yield* pair.client.write([new Uint8Array([1])])
        assert.deepStrictEqual(yield* pair.server.read, new Uint8Array([1]))
        yield* Fiber.interrupt(destroying)
      })
    )

    it.scoped("neverEnd of one side may have a start time", () =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedTransport.makePair({
          faults: { client: { neverEnd: "5 seconds" }, server: { neverEnd: "5 seconds" } }
        })
        yield* TestClock.adjust("4 seconds")
        yield* client.end
        yield* TestClock.adjust("1 second")
        const ending = yield* Effect.fork(server.end)
        yield* TestClock.adjust("1 hour")
        assert.isFalse(yield* isDone(ending))
      })
    )

    it.effect("end when the scope closes", () =>
      Effect.gen(function* () {
        const { client, server } = yield* Effect.scoped(
          SimulatedTransport.makePair({ faults: { client: { neverDestroy: true }, server: { neverDestroy: true } } })
        )
        assert.strictEqual((yield* Effect.flip(client.read)).initiator, "Local")
        assert.strictEqual((yield* Effect.flip(server.read)).initiator, "Local")
      })
    )
  })

  it.scoped("refuses options and faults out of range", () =>
    Effect.gen(function* () {
      const wrongFaults: ReadonlyArray<SimulatedTransport.Faults> = [
        { clientToServer: { cutAt: -1 } },
        { serverToClient: { cutAt: 0.5 } },
        { clientToServer: { blackHoleAt: NaN } },
        { clientToServer: { stallWritesAt: Infinity } },
        { serverToClient: { corruptAt: -1 } },
        { serverToClient: { corruptAt: [1, { at: 2, xor: 0 }] } },
        { serverToClient: { corruptAt: { at: 2, xor: 256 } } }
      ]
      const wrong: ReadonlyArray<SimulatedTransport.Options> = [
        { jitter: Infinity },
        { stalls: { every: 0, upTo: 0 } },
        { stalls: { every: 1, upTo: 2 } },
        { stalls: { every: Infinity, upTo: 2 } },
        { chunking: { min: 0, max: 2, joined: true } },
        { trace: { limit: -1 } },
        { trace: { limit: 0.5 } },
        ...wrongFaults.map((faults) => ({ faults }))
      ]
      const pair = yield* SimulatedTransport.makePair()
      const attempts = [
        ...wrong.map((link) => [link, SimulatedTransport.makePair(link)] as const),
        ...wrongFaults.map((faults) => [faults, pair.inject(faults)] as const)
      ]
      for (const [what, attempt] of attempts) {
        const exit = yield* Effect.exit<unknown, never, never>(Effect.scoped(attempt))
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof RangeError, JSON.stringify(what))
      }
      assert.deepStrictEqual((yield* pair.trace).events, [])
    })
  )
})

it.effect("an option of a link out of range is a RangeError that names it", () =>
  Effect.gen(function* () {
    const wrongLinks: Record<string, SimulatedTransport.Options> = {
      chunking: { chunking: { min: 0, max: -1 } },
      bandwidth: { bandwidth: 0 },
      cutAt: { faults: { clientToServer: { cutAt: -1 } } }
    }
    for (const [name, options] of Object.entries(wrongLinks)) {
      assert.match(
        yield* ending(Effect.scoped(SimulatedTransport.makePair(options))),
        new RegExp(`^dies RangeError: .*${name}`)
      )
    }
  })
)

it.scoped("faults that are injected twice count once, and a cut link stays cut", () =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair()
    yield* Effect.all([link.cut, link.cut, link.blackHole, link.inject({ cut: true }), link.stallWrites, link.neverEnd])
    assert.match(yield* ending(link.client.read), /^fails TransportFailed/)
    assert.match(yield* ending(link.client.write([new Uint8Array(1)])), /^fails TransportFailed/)
  })
)
