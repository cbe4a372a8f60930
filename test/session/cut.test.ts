/** A stream whose writing was cut never looks like one that has ended, whatever the handler makes of the failure. */
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, MuxStream } from "effect-muxado"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { makePair, passTimeUntil, scenario, decoded, encoded } from "../support/session/sessions.js"

const five = Stream.repeatValue(new Uint8Array(1000)).pipe(Stream.take(5))

const sources = {
  fails: Stream.concat(five, Stream.fail("the disk broke")),
  dies: Stream.concat(five, Stream.die(new Error("a bug"))),
  "interrupts itself": Stream.concat(five, Stream.fromEffect(Effect.interrupt)),
  "is given up after 50 ms": Stream.concat(five, Stream.never)
}

const ways: Readonly<
  Record<
    string,
    (stream: MuxStream.MuxStream, source: Stream.Stream<Uint8Array, string>) => Effect.Effect<unknown, unknown>
  >
> = {
  toSink: (stream, source) => Stream.run(source, MuxStream.toSink(stream)),
  "toSink behind another sink": (stream, source) =>
    Stream.run(source, Sink.zipRight(Sink.take<Uint8Array>(1), MuxStream.toSink(stream))),
  toChannel: (stream, source) =>
    Stream.runDrain(Stream.pipeThroughChannelOrFail(source, MuxStream.toChannel<string>(stream))),
  "toSocket's writer": (stream, source) =>
    Effect.scoped(
      Effect.flatMap(MuxStream.toSocket(stream).writer, (write) => Stream.runForEach(source, (chunk) => write(chunk)))
    )
}

describe("an upload whose source", () => {
  for (const [what, source] of Object.entries(sources)) {
    for (const [way, use] of Object.entries(ways)) {
      it.effect(`${what}, through ${way}: the peer sees a reset, not a shorter upload`, () =>
        Effect.gen(function* () {
          const { client, server } = yield* makePair()
          const upload = yield* Effect.fork(
            client.withStream((stream) =>
              use(stream, source).pipe(
                Effect.timeout(50),
                // the handler deals with the failure, and ends in success
                Effect.catchAllCause(() => Effect.void)
              )
            )
          )
          const far = yield* server.accept
          const seen = yield* Effect.fork(Effect.exit(MuxStream.readAll(far)))
          const exit = yield* passTimeUntil(seen)
          assert(Exit.isFailure(exit), "the cut upload looks whole")
          const error = Cause.squash(exit.cause)
          assert.deepInclude(error, { _tag: "StreamReset", code: ErrorCode.StreamCancelled })
          yield* Fiber.await(upload)
        }).pipe(scenario)
      )
    }
  }
})

describe("toChannel", () => {
  it.effect("whose consumer stops before its input has ended resets the stream", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const using = yield* Effect.fork(
        client.withStream((stream) =>
          Stream.concat(five, Stream.never).pipe(
            Stream.pipeThroughChannelOrFail(MuxStream.toChannel(stream)),
            Stream.take(1),
            Stream.runDrain
          )
        )
      )
      const far = yield* server.accept
      yield* MuxStream.write(far, "one answer")
      const error = yield* Effect.flip(MuxStream.readAll(far))
      assert.deepInclude(error, { _tag: "StreamReset", code: ErrorCode.StreamCancelled })
      yield* Fiber.join(using)
    }).pipe(scenario)
  )

  it.effect("whose peer finishes before its input has ended resets the stream", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      const using = yield* Effect.fork(
        client.withStream((stream) =>
          Stream.runDrain(
            Stream.pipeThroughChannelOrFail(Stream.concat(five, Stream.never), MuxStream.toChannel(stream))
          )
        )
      )
      const far = yield* server.accept
      yield* MuxStream.finish(far)
      const error = yield* Effect.flip(MuxStream.readAll(far))
      assert.deepInclude(error, { _tag: "StreamReset", code: ErrorCode.StreamCancelled })
      yield* Fiber.join(using)
    }).pipe(scenario)
  )

  it.effect("finishes the stream when its input ends, and gives out the answer", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(
        server.serve((stream) => Effect.flatMap(MuxStream.readAll(stream), (all) => MuxStream.write(stream, all)))
      )
      const answer = yield* client.withStream((stream) =>
        Stream.make(encoded("a"), encoded("b")).pipe(
          Stream.pipeThroughChannelOrFail(MuxStream.toChannel(stream)),
          Stream.runFold("", (sum, bytes) => sum + decoded(bytes))
        )
      )
      assert.strictEqual(answer, "ab")
    }).pipe(scenario)
  )

  it.effect("that is interrupted before its input has said anything resets the stream", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* client.withStream((stream) =>
        Effect.gen(function* () {
          yield* MuxStream.write(stream, "a header")
          const piping = yield* Effect.fork(
            Stream.runDrain(Stream.pipeThroughChannelOrFail(Stream.never, MuxStream.toChannel(stream)))
          )
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(piping)
        })
      )
      const far = yield* server.accept
      const error = yield* Effect.flip(MuxStream.readAll(far))
      assert.deepInclude(error, { _tag: "StreamReset", code: ErrorCode.StreamCancelled })
    }).pipe(scenario)
  )
})
