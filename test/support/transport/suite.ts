/**
 * What every transport must do, checked over a connected pair of them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { PCGRandom } from "effect/Utils"
import type { TransportFailed } from "../../../src/MuxadoError.js"
import type { TransportService } from "../../../src/Transport.js"

export interface TransportPair {
  readonly client: TransportService
  readonly server: TransportService
}

export interface TransportSuiteOptions {
  /** Whether a side goes on to write after its peer's `end`. Default: true. */
  readonly halfClose?: boolean
  /** Whether the peer of a side that is destroyed may see an orderly end. Default: true, as of most media. */
  readonly destroyMayEnd?: boolean
  /** Bytes that the tests with much data move in each direction. Default: 300 000. */
  readonly bytes?: number
}

/**
 * Checks the contract of `TransportService` in real time. `makePair` is scoped, and the closing of its scope is part of
 * what is checked. Which side is called client makes no difference.
 */
export const transportSuite = <E>(
  name: string,
  makePair: Effect.Effect<TransportPair, E, Scope.Scope>,
  options: TransportSuiteOptions = {}
): void => {
  const { bytes: total = 300_000, destroyMayEnd = true, halfClose = true } = options

  const test = (title: string, body: (pair: TransportPair) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.scopedLive(title, () => within(Effect.flatMap(makePair, body)))

  describe(`${name} is a transport`, () => {
    test("carries bytes completely and in order, both ways at once", ({ client, server }) =>
      Effect.gen(function* () {
        const [fromClient, fromServer] = [noise(total, 1), noise(total, 2)]
        const [toServer, toClient] = yield* Effect.all(
          [
            readBytes(server, total),
            readBytes(client, total),
            writeInBatches(client, fromClient, 3),
            writeInBatches(server, fromServer, 4)
          ],
          { concurrency: "unbounded" }
        )
        assertSameBytes(toServer, fromClient)
        assertSameBytes(toClient, fromServer)
      }))

    test("writes the chunks of a batch in order, and nothing for empty ones", ({ client, server }) =>
      Effect.gen(function* () {
        yield* client.write([])
        yield* client.write([new Uint8Array(0)])
        yield* client.write([new Uint8Array([1]), new Uint8Array(0), new Uint8Array([2, 3])])
        yield* client.write([new Uint8Array([4])])
        assertSameBytes(yield* readBytes(server, 4), new Uint8Array([1, 2, 3, 4]))
      }))

    test("delivers the bytes that were written before an end, and then every read fails with Ended", ({
      client,
      server
    }) =>
      Effect.gen(function* () {
        const sent = noise(total, 5)
        const reading = yield* Effect.fork(readToEnd(server))
        yield* writeInBatches(client, sent, 6)
        const ending = yield* Effect.fork(client.end)
        const [received, reason] = yield* Fiber.join(reading)
        assertSameBytes(received, sent)
        assert.strictEqual(reason, "Ended")
        assert.strictEqual((yield* Effect.flip(server.read)).reason, "Ended")
        yield* server.end
        yield* Fiber.join(ending)
      }))

    if (halfClose) {
      test("can be read after its own end, and written to after its peer's", ({ client, server }) =>
        Effect.gen(function* () {
          yield* client.write([new Uint8Array([1])])
          yield* client.end
          assert.deepStrictEqual(yield* readToEnd(server), [new Uint8Array([1]), "Ended"])
          const sent = noise(total, 7)
          const reading = yield* Effect.fork(readToEnd(client))
          yield* writeInBatches(server, sent, 8)
          yield* server.end
          const [received, reason] = yield* Fiber.join(reading)
          assertSameBytes(received, sent)
          assert.strictEqual(reason, "Ended")
        }))
    }

    test("refuses to be written to after its end", ({ client, server }) =>
      Effect.gen(function* () {
        const reading = yield* Effect.fork(readToEnd(server))
        const ending = yield* Effect.fork(client.end)
        assert.deepStrictEqual(yield* Fiber.join(reading), [new Uint8Array(0), "Ended"])
        assert.strictEqual((yield* Effect.flip(client.write([new Uint8Array([1])])))._tag, "TransportFailed")
        yield* server.end
        yield* Fiber.join(ending)
      }))

    test("fails the pending read when it is destroyed", ({ client }) =>
      Effect.gen(function* () {
        const reading = yield* Effect.fork(Effect.flip(client.read))
        yield* Effect.sleep("5 millis")
        yield* client.destroy
        assert.strictEqual((yield* Fiber.join(reading)).reason, "Read")
        assert.strictEqual((yield* Effect.flip(client.read)).reason, "Read")
      }))

    test("fails the pending write when it is destroyed", ({ client }) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(writeForEver(client))
        yield* Effect.sleep("5 millis")
        yield* client.destroy
        assert.strictEqual((yield* Fiber.join(writing))._tag, "TransportFailed")
        assert.strictEqual((yield* Effect.flip(client.write([new Uint8Array([1])])))._tag, "TransportFailed")
      }))

    test("fails the pending read and write of the peer of a destroyed one", ({ client, server }) =>
      Effect.gen(function* () {
        const reading = yield* Effect.fork(readToEnd(server))
        const writing = yield* Effect.fork(writeForEver(server))
        yield* Effect.sleep("5 millis")
        yield* client.destroy
        const [, reason] = yield* Fiber.join(reading)
        assert.include(destroyMayEnd ? ["Ended", "Read"] : ["Read"], reason)
        assert.strictEqual((yield* Fiber.join(writing))._tag, "TransportFailed")
        assert.strictEqual((yield* Effect.flip(server.write([new Uint8Array([1])])))._tag, "TransportFailed")
        assert.strictEqual((yield* Effect.flip(server.read)).reason, reason)
      }))

    test("fails a write, and does not hang, after the peer is gone", ({ client, server }) =>
      Effect.gen(function* () {
        yield* server.destroy
        assert.strictEqual((yield* writeForEver(client))._tag, "TransportFailed")
      }))

    test("loses no bytes to interrupted reads", ({ client, server }) =>
      Effect.gen(function* () {
        const sent = noise(total, 9)
        const random = new PCGRandom(10)
        const received: Array<Uint8Array> = []
        const writing = yield* Effect.fork(writeInBatches(client, sent, 11))
        let length = 0
        while (length < sent.length) {
          // Not `map`, which has a step of its own, after which bytes that were read may not get on.
          const reading = yield* Effect.flatMap(server.read, (chunk) => {
            received.push(chunk)
            length += chunk.length
            return Effect.void
          }).pipe(Effect.withScheduler(fickleScheduler(random)), Effect.fork)
          for (let turns = random.integer(12); turns > 0; turns--) yield* Effect.yieldNow()
          // Now and then time for bytes to arrive, or a medium that is slower than the interruptions gives nothing.
          if (random.integer(4) === 0) yield* Effect.sleep("1 millis")
          yield* Fiber.interrupt(reading)
        }
        yield* Fiber.join(writing)
        assertSameBytes(join(received), sent)
      }))

    test("can be ended and destroyed at any time, and more than once", ({ client, server }) =>
      Effect.gen(function* () {
        const endings = yield* Effect.fork(Effect.all([client.end, client.end, server.end], { concurrency: 3 }))
        assert.deepStrictEqual(yield* readToEnd(server), [new Uint8Array(0), "Ended"])
        yield* Fiber.join(endings)
        yield* server.destroy
        yield* server.destroy
        yield* server.end
        yield* client.destroy
        yield* client.end
      }))

    it.live("is destroyed by the closing of its scope", () =>
      within(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { client, server } = yield* Scope.extend(makePair, scope)
          const readings = yield* Effect.forEach([client, server], (one) => Effect.fork(Effect.flip(one.read)))
          yield* Effect.sleep("5 millis")
          yield* Scope.close(scope, Exit.void)
          for (const reading of readings) {
            assert.strictEqual((yield* Fiber.join(reading))._tag, "TransportFailed")
          }
          assert.strictEqual((yield* Effect.flip(client.write([new Uint8Array([1])])))._tag, "TransportFailed")
          assert.strictEqual((yield* Effect.flip(server.read))._tag, "TransportFailed")
        })
      )
    )
  })
}

/** So that what hangs is reported as such, and its finalizers run. */
const within = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutFail(effect, { duration: "15 seconds", onTimeout: () => new Error("this transport hangs") })

/** Lets a fiber pause, and so be interrupted, between any two of its steps. */
export const fickleScheduler = (random: PCGRandom): Scheduler.Scheduler =>
  Scheduler.make(
    (task, priority, fiber) => Scheduler.defaultScheduler.scheduleTask(task, priority, fiber),
    // A pause has some 20 steps itself, so that with many more of them it would not come to an end.
    () => (random.integer(40) === 0 ? 0 : false)
  )

/** `length` bytes of which no stretch looks like another. */
export const noise = (length: number, seed: number): Uint8Array => {
  const random = new PCGRandom(seed)
  return Uint8Array.from({ length }, () => random.integer(256))
}

export const join = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(chunks))

/** Of long ones, a diff would take longer than the test. */
export const assertSameBytes = (actual: Uint8Array, expected: Uint8Array): void => {
  assert.strictEqual(actual.length, expected.length)
  assert.isTrue(Buffer.from(actual).equals(expected), "the bytes differ")
}

/** Writes `bytes` in batches of a few chunks, of random sizes from 0 to some KiB. */
export const writeInBatches = (transport: TransportService, bytes: Uint8Array, seed: number) =>
  Effect.gen(function* () {
    const random = new PCGRandom(seed)
    let offset = 0
    while (offset < bytes.length) {
      const batch: Array<Uint8Array> = []
      for (let chunks = 1 + random.integer(4); chunks > 0; chunks--) {
        const length = random.integer(random.integer(2) === 0 ? 16 : 8192)
        batch.push(bytes.slice(offset, offset + length))
        offset += length
      }
      yield* transport.write(batch)
    }
  })

/** Reads until there are `length` bytes; more of them is a failure. */
export const readBytes = (transport: TransportService, length: number) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    for (let rest = length; rest > 0;) {
      const chunk = yield* transport.read
      assert.isAbove(chunk.length, 0)
      chunks.push(chunk)
      rest -= chunk.length
    }
    return join(chunks)
  })

/** Reads until that fails; what there was, and the reason. */
export const readToEnd = (transport: TransportService) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    for (;;) {
      const next = yield* Effect.either(transport.read)
      if (next._tag === "Left") return [join(chunks), next.left.reason] as const
      assert.isAbove(next.right.length, 0)
      chunks.push(next.right)
    }
  })

/** Writes until that fails; the error. */
export const writeForEver = (transport: TransportService): Effect.Effect<TransportFailed> =>
  Effect.flip(Effect.forever(Effect.zipRight(transport.write([MEGABYTE]), Effect.sleep(0))))

/** More than any medium takes in before it makes a writer wait, if it ever does. */
const MEGABYTE = new Uint8Array(1_000_000)
