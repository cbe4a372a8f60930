/** Calls of one message there and one back. */
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, MuxadoError, MuxStream } from "effect-muxado"
import * as Messages from "effect-muxado/Messages"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { logged } from "../support/logs.js"
import { assertAtRest, makePair, scenario, settle } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

const Half = { type: 5, request: Schema.Number, response: Schema.Int, maxBytes: 100 } as const
const Text = { type: 6, request: Schema.String, response: Schema.String, format: "msgpack" } as const

const half = Messages.respond(Half, (n) => Effect.succeed(n / 2))

describe("a call of one message", () => {
  it.effect("returns the message that comes back, in both formats beside each other", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(half, Half))
      yield* Effect.fork(
        server.serve(
          Messages.respond(Text, (text, stream) => Effect.succeed(`${stream.type} ${text}`)),
          Text
        )
      )
      const answers = yield* Effect.forEach([2, 4, 6], (n) => Messages.request(client, n, Half), { concurrency: 3 })
      assert.deepStrictEqual(answers, [1, 2, 3])
      assert.strictEqual(yield* Messages.request(client, "x".repeat(500_000), Text), `6 ${"x".repeat(500_000)}`)
      yield* settle
      yield* assertAtRest(client)
      yield* assertAtRest(server)
    }).pipe(scenario)
  )

  it.effect("with an invalid request opens no stream", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair()
      const long = { ...Half, request: Schema.String }
      const errors = [
        yield* Effect.flip(Messages.request(client, wrong<number>("2"), Half)),
        yield* Effect.flip(Messages.request(client, "x".repeat(99), long))
      ]
      assert.containSubset(errors, [
        { _tag: "MessageInvalid", reason: "Encode", direction: "Send", streamId: undefined, processed: "no" },
        { _tag: "MessageInvalid", reason: "TooLarge", direction: "Send", size: 101, maxBytes: 100, processed: "no" }
      ])
      assert.match(errors[0]?.message ?? "", /^A message for a new stream cannot be encoded: /)
      assert.strictEqual((yield* client.stats).opened, 0)
    }).pipe(scenario)
  )

  it.effect("whose type nobody serves may be repeated on the same session", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(half, Half))
      const error = yield* Effect.flip(Messages.request(client, "hello", Text))
      assert.containSubset(error, { _tag: "StreamReset", code: ErrorCode.StreamRefused, processed: "no" })
      assert.strictEqual(MuxadoError.retry(error), "SameSession")
    }).pipe(scenario)
  )

  it.effect("whose request the peer cannot decode fails with StreamReset, and other calls go on", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const { client, server } = yield* makePair()
        yield* Effect.fork(server.serve(half, Half))
        const error = yield* Effect.flip(Messages.request(client, "two", { ...Half, request: Schema.String }))
        assert.containSubset(error, { _tag: "StreamReset", code: ErrorCode.StreamCancelled, processed: "maybe" })
        assert.strictEqual(yield* Messages.request(client, 2, Half), 1)
        assert.deepStrictEqual(lines, [])
      }).pipe(scenario)
    )
  )

  it.effect("whose response cannot be encoded is logged as a warning, and fails with StreamReset", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const { client, server } = yield* makePair()
        yield* Effect.fork(server.serve(half, Half))
        const error = yield* Effect.flip(Messages.request(client, 3, Half))
        assert.containSubset(error, { _tag: "StreamReset", initiator: "Remote" })
        yield* settle
        assert.deepStrictEqual(lines, [{ level: LogLevel.Warning, message: "The handler of stream 3 (type 5) failed" }])
      }).pipe(scenario)
    )
  )

  it.effect("whose response is invalid, too large or missing fails with MessageInvalid", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const answers = ['"x"\n', `"${"x".repeat(200)}"\n`, "1", ""]
      yield* Effect.fork(
        server.serve((stream) =>
          Effect.zipRight(MuxStream.readAll(stream), MuxStream.write(stream, answers.shift() ?? ""))
        )
      )
      const call = Effect.flip(Messages.request(client, 2, Half))
      const errors = [yield* call, yield* call, yield* call, yield* call]
      const common = { _tag: "MessageInvalid", direction: "Receive", processed: "maybe", initiator: "Remote" }
      assert.containSubset(errors, [
        { ...common, reason: "Decode" },
        { ...common, reason: "TooLarge", maxBytes: 100 },
        { ...common, reason: "Incomplete", size: 1 },
        { ...common, reason: "Incomplete", size: 0 }
      ])
      assert.match(errors[3]?.message ?? "", /^The peer ended stream \d+ without a message$/)
    }).pipe(scenario)
  )

  it.effect("without a request fails the handler with Incomplete", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const handled = yield* Effect.fork(
        Effect.scoped(Effect.flatMap(server.accept, (stream) => Effect.flip(half(stream))))
      )
      yield* client.withStream((stream) => Effect.zipRight(MuxStream.finish(stream), MuxStream.readAll(stream)))
      assert.containSubset(yield* Fiber.join(handled), { reason: "Incomplete", size: 0, direction: "Receive" })
    }).pipe(scenario)
  )

  it.effect("returns failures as data, if the response schema has them", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const Root = {
        type: 9,
        request: Schema.Number,
        response: Schema.Either({ left: Schema.String, right: Schema.Number })
      }
      const root = (n: number): Effect.Effect<Either.Either<number, string>> =>
        Effect.succeed(n < 0 ? Either.left("negative") : Either.right(Math.sqrt(n)))
      yield* Effect.fork(server.serve(Messages.respond(Root, root), Root))
      assert.deepStrictEqual(yield* Messages.request(client, 9, Root), Either.right(3))
      assert.deepStrictEqual(yield* Messages.request(client, -9, Root), Either.left("negative"))
    }).pipe(scenario)
  )

  it.effect("that times out interrupts its handler, and a handler's failure resets with resetCode", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      let interrupted = 0
      const slow = Messages.respond(Half, (n) =>
        n === 0
          ? Effect.fail("no" as const)
          : Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
      )
      yield* Effect.fork(server.serve(slow, { ...Half, resetCode: (error) => (error === "no" ? 1234 : 6) }))
      const call = yield* Effect.fork(Effect.flip(Effect.timeout(Messages.request(client, 2, Half), "1 second")))
      yield* TestClock.adjust("2 seconds")
      assert.containSubset(yield* Fiber.join(call), { _tag: "TimeoutException" })
      yield* settle
      assert.strictEqual(interrupted, 1)
      assert.containSubset(yield* Effect.flip(Messages.request(client, 0, Half)), { _tag: "StreamReset", code: 1234 })
    }).pipe(scenario)
  )

  it.effect("with wrong options fails with InvalidOptions on both sides", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair()
      const broken = wrong<typeof Half>({ ...Half, response: 1, maxBytes: -1 })
      const error = yield* Effect.flip(Messages.request(client, 2, broken))
      assert.containSubset(error, { _tag: "InvalidOptions" })
      assert.include(error.message, "Messages.request: response must be a Schema, not 1")
      assert.include(error.message, "Messages.request: maxBytes must be an integer from 1 to 4294967295, not -1")
      const stream = yield* client.open()
      const other = yield* Effect.flip(Messages.respond(broken, () => Effect.succeed(1))(stream))
      assert.containSubset(other, { _tag: "InvalidOptions" })
    }).pipe(scenario)
  )
})
