/** Sessions whose fibers go on inside the call that wakes them, as the scheduler of a program may let them. */
import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { eagerly } from "../support/eagerScheduler.js"
import { sessionSuite } from "../support/session/suite.js"
import { overDuplexes, overSimulated, overTcp } from "../support/session/media.js"
import { noise } from "../support/bytes.js"
import { digest, eventually, makePair, scenario, settle, decoded, encoded } from "../support/session/sessions.js"

const name = "with fibers that run inside the call that wakes them"

sessionSuite(`a simulated link, ${name}`, overSimulated({}), eagerly)
sessionSuite(`a pair of Duplexes, ${name}`, overDuplexes, eagerly)
sessionSuite(`TCP, ${name}`, overTcp, eagerly)

/** A pair of sessions with one stream, held at both ends. */
const makeStream = Effect.gen(function* () {
  const { client, server } = yield* makePair()
  const near = yield* client.open()
  const far = yield* server.accept
  return { near, far, client, server }
})

describe(`a session, ${name}`, () => {
  it.live("the last frames leave before the end of the transport when the session is closed", () =>
    Effect.gen(function* () {
      const { client, server } = yield* overTcp
      yield* client.close
      assert.strictEqual((yield* server.closed)._tag, "RemoteGoneAway")
    }).pipe(Effect.scoped, eagerly)
  )

  it.effect("a readAll returns all bytes, and a waiting read returns the end", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const rest = yield* Effect.fork(MuxStream.read(far))
      const whole = yield* Effect.fork(MuxStream.readAll(far))
      yield* MuxStream.write(near, encoded("the whole"))
      yield* settle
      yield* MuxStream.finish(near)
      assert.strictEqual(decoded(yield* Fiber.join(whole)), "the whole")
      assert.isTrue(Option.isNone(yield* Fiber.join(rest)))
    }).pipe(scenario, eagerly)
  )

  it.effect("a readAll beyond its limit leaves no bytes to a waiting read", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const rest = yield* Effect.fork(Effect.flip(MuxStream.read(far)))
      const whole = yield* Effect.fork(Effect.flip(MuxStream.readAll(far, { maxBytes: 4 })))
      yield* MuxStream.write(near, encoded("too long"))
      assert.strictEqual((yield* Fiber.join(whole))._tag, "ReadLimitExceeded")
      assert.strictEqual((yield* Fiber.join(rest))._tag, "StreamReset")
    }).pipe(scenario, eagerly)
  )

  it.effect("a finish after a write that close has cut fails", () =>
    Effect.gen(function* () {
      const { near } = yield* makeStream
      const errors = yield* Effect.fork(
        Effect.all([Effect.flip(MuxStream.write(near, noise(1_000_000, 1))), Effect.flip(MuxStream.finish(near))])
      )
      yield* settle
      yield* MuxStream.close(near)
      assert.deepStrictEqual(
        (yield* Fiber.join(errors)).map((error) => error._tag),
        ["StreamClosed", "StreamReset"]
      )
    }).pipe(scenario, eagerly)
  )

  it.live("bytes are sent once when sending them makes room for the rest of their write", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { maxSendBuffer: 65_536 } })
      const near = yield* client.open()
      const far = yield* server.accept
      const whole = yield* Effect.fork(MuxStream.readAll(far))
      const parts = [200_000, 10, 100_000].map((length, n) => noise(length, n))
      yield* Effect.forEach(parts, (part) => MuxStream.write(near, part), { concurrency: "unbounded", discard: true })
      yield* MuxStream.finish(near)
      assert.strictEqual(digest(yield* Fiber.join(whole)), digest(Buffer.concat(parts)))
    }).pipe(Effect.scoped, eagerly)
  )

  it.live("a serve runs no more handlers at once than its concurrency", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      let [now, most, done] = [0, 0, 0]
      yield* Effect.forkScoped(
        server.serve(
          (stream) =>
            Effect.acquireUseRelease(
              Effect.sync(() => (most = Math.max(most, ++now))),
              () => Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes)),
              () => Effect.sync(() => [now--, done++])
            ),
          { concurrency: 3 }
        )
      )
      yield* Effect.forEach(
        Array.from({ length: 60 }, (_, n) => noise(3000, n)),
        (bytes) =>
          client.withStream((stream) =>
            MuxStream.write(stream, bytes).pipe(
              Effect.zipRight(MuxStream.finish(stream)),
              Effect.zipRight(MuxStream.readAll(stream)),
              Effect.map((answer) => assert.strictEqual(digest(answer), digest(bytes)))
            )
          ),
        { concurrency: "unbounded", discard: true }
      )
      yield* eventually(
        "all handlers end",
        Effect.sync(() => done === 60)
      )
      assert.isAtMost(most, 3)
    }).pipe(Effect.scoped, eagerly)
  )
})
