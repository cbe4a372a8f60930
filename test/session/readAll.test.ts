/** Reading the whole of a stream: the whole, or an error, however it is interrupted. */
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, MuxStream } from "effect-muxado"
import { SimulatedSessions } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as fc from "fast-check"
import { noise } from "../support/bytes.js"
import { ending, sessionTest } from "../support/session/sessionTest.js"
import { decoded, encoded, isDone, makePair, scenario, settle } from "../support/session/sessions.js"

/** Both ends of a stream. */
const makeStream = Effect.gen(function* () {
  const { client, server } = yield* makePair()
  const near = yield* client.open()
  const far = yield* server.accept
  return { near, far }
})

describe("an interrupted readAll", () => {
  it.scoped("after a timeout returns all bytes when it is called again, not only the rest", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedSessions.make()
      yield* Effect.forkScoped(
        server.serve((stream) =>
          MuxStream.write(stream, "first ").pipe(
            Effect.zipRight(Effect.sleep(200)),
            Effect.zipRight(MuxStream.write(stream, "second"))
          )
        )
      )
      const answer = yield* Effect.fork(
        client.withStream((stream) =>
          MuxStream.readAll(stream).pipe(Effect.timeout(100), Effect.retry(Schedule.recurs(5)))
        )
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(decoded(yield* Fiber.join(answer)), "first second")
    })
  )

  it.effect("leaves the bytes that it has read to the next read", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const reading = yield* Effect.fork(MuxStream.readAll(far))
      yield* MuxStream.write(near, "one ")
      yield* settle
      yield* MuxStream.write(near, "two")
      yield* settle
      yield* Fiber.interrupt(reading)
      assert.strictEqual(decoded(Option.getOrThrow(yield* MuxStream.read(far))), "one two")
      yield* MuxStream.finish(near)
      assert.isTrue(Option.isNone(yield* MuxStream.read(far)))
      assert.lengthOf(yield* MuxStream.readAll(far), 0)
    }).pipe(scenario)
  )

  it.effect("or one that a reset failed leaves the bytes that it has read to the next read", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const reading = yield* Effect.fork(Effect.flip(MuxStream.readAll(far)))
      yield* MuxStream.write(near, "before")
      yield* settle
      yield* MuxStream.reset(near, 77)
      assert.strictEqual((yield* Fiber.join(reading))._tag, "StreamReset")
      assert.strictEqual(decoded(Option.getOrThrow(yield* MuxStream.read(far))), "before")
      assert.strictEqual((yield* Effect.flip(MuxStream.readAll(far)))._tag, "StreamReset")
    }).pipe(scenario)
  )

  it.effect("loses no bytes to another read, which waits", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const whole = yield* Effect.fork(MuxStream.readAll(far))
      yield* MuxStream.write(near, "one ")
      yield* settle
      const others = yield* Effect.fork(Effect.all([MuxStream.read(far), MuxStream.readAll(far)], { concurrency: 2 }))
      yield* MuxStream.write(near, "two")
      yield* settle
      yield* MuxStream.finish(near)
      assert.strictEqual(decoded(yield* Fiber.join(whole)), "one two")
      const [read, all] = yield* Fiber.join(others)
      assert.isTrue(Option.isNone(read))
      assert.lengthOf(all, 0)
    }).pipe(scenario)
  )

  it.effect("that has completed lets a waiting read continue, even if its fiber still runs", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const reading = yield* Effect.fork(MuxStream.read(far))
      yield* Effect.yieldNow()
      yield* Effect.forkScoped(Effect.zipRight(MuxStream.readAll(far), Effect.never))
      yield* MuxStream.write(near, encoded("the whole"))
      yield* settle
      yield* MuxStream.finish(near)
      yield* settle
      assert.isTrue(yield* isDone(reading))
      assert.isTrue(Option.isNone(yield* Fiber.join(reading)))
    }).pipe(scenario)
  )

  it.effect("lets a waiting read continue at once with the bytes that it has read", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const whole = yield* Effect.fork(MuxStream.readAll(far))
      yield* MuxStream.write(near, "one")
      yield* settle
      const other = yield* Effect.fork(MuxStream.read(far))
      yield* settle
      yield* Fiber.interrupt(whole)
      assert.strictEqual(decoded(Option.getOrThrow(yield* Fiber.join(other))), "one")
    }).pipe(scenario)
  )

  it.effect("returns every byte once and in order, whatever the interruptions", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.constantFrom("readAll", "read", "nothing")), {
            minLength: 1,
            maxLength: 12
          }),
          (steps) =>
            Effect.runPromise(
              Effect.gen(function* () {
                const { client, server } = yield* SimulatedSessions.make({ both: { heartbeat: false } })
                const near = yield* client.open()
                const far = yield* server.accept
                const sent = noise(
                  steps.reduce((sum, [length]) => sum + length, 0),
                  steps.length
                )
                const got: Array<Uint8Array> = []
                let offset = 0
                for (const [length, then] of steps) {
                  const reading = yield* Effect.fork(MuxStream.readAll(far))
                  yield* Effect.yieldNow()
                  yield* MuxStream.write(near, sent.subarray(offset, (offset += length)))
                  if (then === "readAll") for (let i = 0; i < 5; i++) yield* Effect.yieldNow()
                  yield* Fiber.interrupt(reading)
                  if (then === "read") got.push(Option.getOrThrow(yield* MuxStream.read(far)))
                }
                yield* MuxStream.finish(near)
                got.push(yield* MuxStream.readAll(far))
                assert.isTrue(Buffer.concat(got).equals(sent))
              }).pipe(Effect.scoped)
            )
        ),
        { numRuns: 100 }
      )
    )
  )
})

describe("maxBytes of readAll", () => {
  it.effect("is not exceeded by a stream of exactly maxBytes bytes", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      yield* MuxStream.write(near, "12345")
      yield* MuxStream.finish(near)
      assert.strictEqual(decoded(yield* MuxStream.readAll(far, { maxBytes: 5 })), "12345")
    }).pipe(scenario)
  )

  it.effect("exceeded, fails with ReadLimitExceeded, and resets the stream with StreamCancelled", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      yield* MuxStream.write(near, "123456")
      const error = yield* Effect.flip(MuxStream.readAll(far, { maxBytes: 5 }))
      assert(error._tag === "ReadLimitExceeded")
      assert.deepStrictEqual([error.streamId, error.maxBytes, error.processed], [far.id, 5, "maybe"])
      const seen = yield* Effect.flip(MuxStream.readAll(near))
      assert(seen._tag === "StreamReset")
      assert.deepStrictEqual([seen.code, seen.initiator], [ErrorCode.StreamCancelled, "Remote"])
    }).pipe(scenario)
  )

  it.effect("is 16 MiB unless it is given", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const writing = yield* Effect.fork(MuxStream.write(near, new Uint8Array(16 * 1024 * 1024 + 1)))
      const error = yield* Effect.flip(MuxStream.readAll(far))
      assert(error._tag === "ReadLimitExceeded")
      assert.strictEqual(error.maxBytes, 16_777_216)
      yield* Fiber.await(writing)
    }).pipe(scenario)
  )

  it.effect("may be Infinity", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const writing = yield* Effect.fork(
        Effect.zipRight(MuxStream.write(near, new Uint8Array(17 * 1024 * 1024)), MuxStream.finish(near))
      )
      assert.lengthOf(yield* MuxStream.readAll(far, { maxBytes: Infinity }), 17 * 1024 * 1024)
      yield* Fiber.join(writing)
    }).pipe(scenario)
  )

  for (const wrong of [-1, Number.NaN, "5", null, encoded("5")]) {
    it.effect(`${String(wrong)} fails with InvalidOptions, and reads nothing`, () =>
      Effect.gen(function* () {
        const { far, near } = yield* makeStream
        yield* MuxStream.write(near, "hello")
        yield* MuxStream.finish(near)
        const error = yield* Effect.flip(MuxStream.readAll(far, { maxBytes: wrong as number }))
        assert.strictEqual(error._tag, "InvalidOptions")
        assert.include(error.message, "readAll: maxBytes must be a number of bytes, 0 or more, not ")
        assert.strictEqual(decoded(yield* MuxStream.readAll(far)), "hello")
      }).pipe(scenario)
    )
  }
})

describe("readAll returns all bytes or fails", () => {
  const inTwoParts = (stream: MuxStream.MuxStream) =>
    Effect.zipRight(
      MuxStream.write(stream, "first "),
      Effect.zipRight(Effect.sleep(100), MuxStream.write(stream, "second"))
    )

  const ways: Record<string, (stream: MuxStream.MuxStream) => Effect.Effect<Uint8Array, unknown>> = {
    "after a timeout": (stream) =>
      Effect.zipRight(Effect.exit(Effect.timeout(MuxStream.readAll(stream), 20)), MuxStream.readAll(stream)),
    "after a lost race": (stream) =>
      Effect.zipRight(Effect.raceFirst(MuxStream.readAll(stream), Effect.sleep(20)), MuxStream.readAll(stream)),
    "retried with a timeout": (stream) =>
      MuxStream.readAll(stream).pipe(Effect.timeout(20), Effect.retry(Schedule.recurs(20))),
    "that waited behind one that was interrupted": (stream) =>
      Effect.gen(function* () {
        const first = yield* Effect.fork(MuxStream.readAll(stream))
        yield* Effect.sleep(5)
        const second = yield* Effect.fork(MuxStream.readAll(stream))
        yield* Effect.sleep(5)
        yield* Fiber.interrupt(first)
        return yield* Fiber.join(second)
      }),
    "by read, after a timeout": (stream) =>
      Effect.gen(function* () {
        yield* Effect.exit(Effect.timeout(MuxStream.readAll(stream), 20))
        const first = Option.getOrElse(yield* MuxStream.read(stream), () => new Uint8Array())
        return new Uint8Array([...first, ...(yield* MuxStream.readAll(stream))])
      }),
    "by toStream, after a timeout": (stream) =>
      Effect.gen(function* () {
        yield* Effect.exit(Effect.timeout(MuxStream.readAll(stream), 20))
        const chunks = yield* Stream.runCollect(MuxStream.toStream(stream))
        return new Uint8Array([...chunks].flatMap((bytes) => [...bytes]))
      })
  }
  for (const [way, read] of Object.entries(ways)) {
    sessionTest(way, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(inTwoParts))
        const whole = yield* client.withStream((stream) => Effect.zipRight(MuxStream.write(stream, "go"), read(stream)))
        assert.strictEqual(decoded(whole), "first second")
      })
    )
  }

  sessionTest("two at once: one has the whole, the other nothing, and none a part", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(inTwoParts))
      const both = yield* client.withStream((stream) =>
        Effect.zipRight(
          MuxStream.write(stream, "go"),
          Effect.all([MuxStream.readAll(stream), MuxStream.readAll(stream)], { concurrency: 2 })
        )
      )
      assert.deepStrictEqual(both.map(decoded).sort(), ["", "first second"])
    })
  )

  sessionTest("beyond maxBytes it fails and resets the stream, whatever was read before", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(inTwoParts))
      const seen = yield* ending(
        client.withStream((stream) =>
          Effect.gen(function* () {
            yield* MuxStream.write(stream, "go")
            yield* Effect.exit(Effect.timeout(MuxStream.readAll(stream), 20))
            return yield* MuxStream.readAll(stream, { maxBytes: 3 })
          })
        )
      )
      assert.match(seen, /^fails ReadLimitExceeded: /)
    })
  )

  sessionTest("stopReading and close while it waits fail it", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(inTwoParts))
      for (const stop of [MuxStream.stopReading, MuxStream.close]) {
        const seen = yield* client.withStream((stream) =>
          Effect.gen(function* () {
            yield* MuxStream.write(stream, "go")
            const reading = yield* Effect.fork(ending(MuxStream.readAll(stream)))
            yield* Effect.sleep(20)
            yield* stop(stream)
            return yield* Fiber.join(reading)
          })
        )
        assert.match(seen, /^fails StreamClosed: /)
      }
    })
  )
})
