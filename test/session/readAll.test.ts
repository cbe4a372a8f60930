/** Reading the whole of a stream: the whole, or an error, however it is interrupted. */
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, MuxStream } from "effect-muxado"
import { SimulatedSessions } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as fc from "fast-check"
import { isDone, makePair, noise, scenario, settle, string, text } from "./utils/sessions.js"

/** Both ends of a stream. */
const makeStream = Effect.gen(function* () {
  const { client, server } = yield* makePair()
  const near = yield* client.open()
  const far = yield* server.accept
  return { near, far }
})

describe("readAll", () => {
  it.scoped("with a timeout, and then again: the caller gets the whole, not the tail", () =>
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
      assert.strictEqual(string(yield* Fiber.join(answer)), "first second")
    })
  )

  it.effect("interrupted, leaves what it had read to the next read", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const reading = yield* Effect.fork(MuxStream.readAll(far))
      yield* MuxStream.write(near, "one ")
      yield* settle
      yield* MuxStream.write(near, "two")
      yield* settle
      yield* Fiber.interrupt(reading)
      assert.strictEqual(string(Option.getOrThrow(yield* MuxStream.read(far))), "one two")
      yield* MuxStream.finish(near)
      assert.isTrue(Option.isNone(yield* MuxStream.read(far)))
      assert.lengthOf(yield* MuxStream.readAll(far), 0)
    }).pipe(scenario)
  )

  it.effect("failed by a reset, leaves what it had read to the next read", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const reading = yield* Effect.fork(Effect.flip(MuxStream.readAll(far)))
      yield* MuxStream.write(near, "before")
      yield* settle
      yield* MuxStream.reset(near, 77)
      assert.strictEqual((yield* Fiber.join(reading))._tag, "StreamReset")
      assert.strictEqual(string(Option.getOrThrow(yield* MuxStream.read(far))), "before")
      assert.strictEqual((yield* Effect.flip(MuxStream.readAll(far)))._tag, "StreamReset")
    }).pipe(scenario)
  )

  it.effect("no read beside it takes a part out of its whole: the other waits", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const whole = yield* Effect.fork(MuxStream.readAll(far))
      yield* MuxStream.write(near, "one ")
      yield* settle
      const others = yield* Effect.fork(Effect.all([MuxStream.read(far), MuxStream.readAll(far)], { concurrency: 2 }))
      yield* MuxStream.write(near, "two")
      yield* settle
      yield* MuxStream.finish(near)
      assert.strictEqual(string(yield* Fiber.join(whole)), "one two")
      const [read, all] = yield* Fiber.join(others)
      assert.isTrue(Option.isNone(read))
      assert.lengthOf(all, 0)
    }).pipe(scenario)
  )

  it.effect("done, lets the read that waits for it go on, although its fiber has more to do", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const reading = yield* Effect.fork(MuxStream.read(far))
      yield* Effect.yieldNow()
      yield* Effect.forkScoped(Effect.zipRight(MuxStream.readAll(far), Effect.never))
      yield* MuxStream.write(near, text("the whole"))
      yield* settle
      yield* MuxStream.finish(near)
      yield* settle
      assert.isTrue(yield* isDone(reading))
      assert.isTrue(Option.isNone(yield* Fiber.join(reading)))
    }).pipe(scenario)
  )

  it.effect("interrupted, lets the read that waits for it go on at once with what it had read", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const whole = yield* Effect.fork(MuxStream.readAll(far))
      yield* MuxStream.write(near, "one")
      yield* settle
      const other = yield* Effect.fork(MuxStream.read(far))
      yield* settle
      yield* Fiber.interrupt(whole)
      assert.strictEqual(string(Option.getOrThrow(yield* Fiber.join(other))), "one")
    }).pipe(scenario)
  )

  it.effect("under any cuts and interruptions: every byte once and in order", () =>
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

describe("maxBytes", () => {
  it.effect("is met by exactly as many bytes", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      yield* MuxStream.write(near, "12345")
      yield* MuxStream.finish(near)
      assert.strictEqual(string(yield* MuxStream.readAll(far, { maxBytes: 5 })), "12345")
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

  for (const wrong of [-1, Number.NaN, "5", null, text("5")]) {
    it.effect(`${String(wrong)} fails with InvalidOptions, and reads nothing`, () =>
      Effect.gen(function* () {
        const { far, near } = yield* makeStream
        yield* MuxStream.write(near, "hello")
        yield* MuxStream.finish(near)
        const error = yield* Effect.flip(MuxStream.readAll(far, { maxBytes: wrong as number }))
        assert.strictEqual(error._tag, "InvalidOptions")
        assert.include(error.message, "readAll: maxBytes must be a number of bytes, 0 or more, not ")
        assert.strictEqual(string(yield* MuxStream.readAll(far)), "hello")
      }).pipe(scenario)
    )
  }
})
