import * as Socket from "@effect/platform/Socket"
import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, MuxStream } from "effect-muxado"
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { noise } from "../support/bytes.js"
import { decoded, echo, encoded, makePair, passTimeUntil, scenario, settle } from "../support/session/sessions.js"

/** A pair of sessions with one stream, held at both ends. */
const makeStream = Effect.gen(function* () {
  const { client, server } = yield* makePair()
  const near = yield* client.open()
  const far = yield* server.accept
  return { near, far, client, server }
})

const source = (bytes: ReadonlyArray<string>) => Stream.fromIterable(bytes.map(encoded))

describe("toStream and toSink", () => {
  it.effect("toSink finishes the stream when its input ends, toStream ends with it", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      yield* Stream.run(source(["a", "b"]), MuxStream.toSink(near))
      const all = yield* Stream.runFold(MuxStream.toStream(far), "", (sum, bytes) => sum + decoded(bytes))
      assert.strictEqual(all, "ab")
    }).pipe(scenario)
  )

  it.effect("toStream returns the received bytes, and then fails with the stream", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      yield* MuxStream.write(near, encoded("before"))
      yield* settle
      yield* MuxStream.reset(near, 77)
      yield* settle
      const got: Array<string> = []
      const error = yield* Effect.flip(
        Stream.runForEach(MuxStream.toStream(far), (bytes) => Effect.sync(() => got.push(decoded(bytes))))
      )
      assert(error._tag === "StreamReset")
      assert.deepStrictEqual([got, error.code], [["before"], 77])
    }).pipe(scenario)
  )

  it.effect("after toStream stops early, read returns the rest", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      yield* MuxStream.write(near, encoded("one"))
      yield* settle
      yield* Stream.run(Stream.take(MuxStream.toStream(far), 1), Sink.drain)
      yield* MuxStream.write(near, encoded("two"))
      assert.strictEqual(decoded(Option.getOrThrow(yield* MuxStream.read(far))), "two")
    }).pipe(scenario)
  )
})

describe("toChannel", () => {
  const through = (stream: MuxStream.MuxStream, input: Stream.Stream<Uint8Array, string>) =>
    Stream.pipeThroughChannel(input, MuxStream.toChannel<string>(stream))

  it.effect("writes its input, finishes at its end, and outputs the received bytes", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(echo))
      const near = yield* client.open()
      const answer = yield* Stream.runFold(through(near, source(["x", "y", "z"])), "", (sum, b) => sum + decoded(b))
      assert.strictEqual(answer, "xyz")
    }).pipe(scenario)
  )

  it.effect("an input that fails resets the stream with StreamCancelled, and fails the output", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const failing = Stream.concat(source(["x"]), Stream.fail("broken"))
      assert.strictEqual(yield* Effect.flip(Stream.runDrain(through(near, failing))), "broken")
      yield* settle
      const exit = yield* Effect.flip(MuxStream.readAll(far))
      assert(exit._tag === "StreamReset")
      assert.strictEqual(exit.code, ErrorCode.StreamCancelled)
    }).pipe(scenario)
  )

  it.effect("the output fails with the stream, even if the input never ends", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const running = yield* Effect.fork(Effect.flip(Stream.runDrain(through(near, Stream.never))))
      yield* settle
      yield* MuxStream.reset(far, 5)
      const error = yield* Fiber.join(running)
      assert(typeof error !== "string" && error._tag === "StreamReset")
    }).pipe(scenario)
  )

  it.effect("stops the peer while its consumer does not pull", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const writing = yield* Effect.fork(MuxStream.write(far, noise(1_000_000, 1)))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const pull = yield* Channel.toPull(Channel.pipeTo(Channel.void, MuxStream.toChannel(near)))
          const first = yield* pull
          assert(first._tag === "Right")
          assert.isAtLeast(Chunk.size(first.right), 1)
          yield* settle
          assert.isTrue(Option.isNone(yield* Fiber.poll(writing)))
        })
      )
      yield* Fiber.interrupt(writing)
    }).pipe(scenario)
  )
})

describe("toSocket", () => {
  it.effect("run passes the chunks to one handler at a time, in order, until the peer's FIN", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const log: Array<string> = []
      let running = 0
      const reading = yield* Effect.fork(
        MuxStream.toSocket(far).run(
          (bytes) =>
            Effect.gen(function* () {
              assert.strictEqual(++running, 1)
              yield* Effect.sleep(`${50 - 10 * log.length} millis`)
              log.push(decoded(bytes))
              running--
            }),
          { onOpen: Effect.sync(() => log.push("open")) }
        )
      )
      for (const word of ["a", "b", "c"]) {
        yield* MuxStream.write(near, encoded(word))
        yield* settle
      }
      yield* MuxStream.finish(near)
      yield* passTimeUntil(reading)
      assert.strictEqual(log[0], "open")
      assert.strictEqual(log.slice(1).join(""), "abc")
    }).pipe(scenario)
  )

  it.effect("a handler's failure ends run; a reset is a SocketError", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      yield* MuxStream.write(near, encoded("x"))
      const socket = MuxStream.toSocket(far)
      assert.strictEqual(yield* Effect.flip(socket.run(() => Effect.fail("mine"))), "mine")
      yield* MuxStream.reset(near, 9)
      const error = yield* Effect.flip(socket.run(() => {}))
      assert(Socket.isSocketError(error) && error.reason === "Read")
    }).pipe(scenario)
  )

  it.effect("its writer takes bytes and text, and finishes the stream when its scope closes", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      yield* Effect.scoped(
        Effect.gen(function* () {
          const write = yield* MuxStream.toSocket(near).writer
          yield* write(encoded("bytes, "))
          yield* write("text é")
        })
      )
      assert.strictEqual(decoded(yield* MuxStream.readAll(far)), "bytes, text é")
    }).pipe(scenario)
  )

  it.effect("a CloseEvent 1000 closes the stream and ends run; writing afterwards fails instead of hanging", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const socket = MuxStream.toSocket(near)
      const running = yield* Effect.fork(socket.run(() => {}))
      const write = yield* socket.writer
      yield* write(new Socket.CloseEvent(1000))
      yield* Fiber.join(running)
      const error = yield* Effect.flip(write("late"))
      assert.strictEqual(error.reason, "Write")
      assert.strictEqual(decoded(yield* MuxStream.readAll(far)), "")
    }).pipe(scenario)
  )

  it.effect("a CloseEvent with any other code resets the stream with that code", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const write = yield* MuxStream.toSocket(near).writer
      yield* write(new Socket.CloseEvent(4001))
      const error = yield* Effect.flip(MuxStream.read(far))
      assert(error._tag === "StreamReset")
      assert.strictEqual(error.code, 4001)
    }).pipe(scenario)
  )

  it.effect("works under the platform's own toChannel and its decoders", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair()
      yield* Effect.fork(server.serve(echo))
      const near = yield* client.open()
      const answer = yield* Stream.fromIterable(["one", " ", "two"]).pipe(
        Stream.map(encoded),
        Stream.pipeThroughChannel(Socket.toChannel<never>(MuxStream.toSocket(near))),
        Stream.decodeText(),
        Stream.mkString
      )
      assert.strictEqual(answer, "one two")
    }).pipe(scenario)
  )
})

describe("the end of a stream for its reader and writer", () => {
  it.effect("after a FIN, each read returns the end, even if the session is dead", () =>
    Effect.gen(function* () {
      const { client, link, server } = yield* makePair()
      const near = yield* client.open()
      const far = yield* server.accept
      yield* MuxStream.finish(near)
      yield* settle
      yield* link.cut
      yield* server.closed
      for (let i = 0; i < 3; i++) assert.isTrue(Option.isNone(yield* MuxStream.read(far)))
    }).pipe(scenario)
  )

  it.effect("stopReading drops received bytes, fails reads on this side, and leaves writing open", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const reading = yield* Effect.fork(Effect.exit(MuxStream.read(far)))
      yield* settle
      yield* MuxStream.stopReading(far)
      const exit = yield* Fiber.join(reading)
      assert.isTrue(Exit.isFailure(exit))
      const error = yield* Effect.flip(MuxStream.read(far))
      assert.deepStrictEqual([error._tag, error.initiator], ["StreamClosed", "Local"])
      // far more than a window: what is dropped gives its credit back
      yield* MuxStream.write(near, noise(2_000_000, 1))
      yield* MuxStream.write(far, encoded("still here"))
      assert.strictEqual(decoded(Option.getOrThrow(yield* MuxStream.read(near))), "still here")
    }).pipe(scenario)
  )

  it.effect("a writer whose peer has closed fails, and does not hang", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const writing = yield* Effect.fork(Effect.flip(MuxStream.write(near, noise(4_000_000, 1))))
      yield* settle
      yield* MuxStream.close(far)
      const error = yield* passTimeUntil(writing)
      assert(error._tag === "StreamReset", error._tag)
      assert.strictEqual(error.initiator, "Remote")
    }).pipe(scenario)
  )

  it.effect("close while a write waits resets the stream, so that the peer does not see a complete one", () =>
    Effect.gen(function* () {
      const { far, near } = yield* makeStream
      const writing = yield* Effect.fork(Effect.flip(MuxStream.write(near, noise(4_000_000, 1))))
      yield* settle
      yield* MuxStream.close(near)
      assert.strictEqual((yield* Fiber.join(writing))._tag, "StreamClosed")
      yield* settle
      const error = yield* Effect.flip(MuxStream.readAll(far))
      assert(error._tag === "StreamReset")
      assert.strictEqual(error.code, ErrorCode.StreamCancelled)
    }).pipe(scenario)
  )

  it.effect("an empty write sends nothing, and fails if any write would fail", () =>
    Effect.gen(function* () {
      const { near } = yield* makeStream
      yield* MuxStream.write(near, new Uint8Array(0))
      yield* MuxStream.finish(near)
      assert.strictEqual((yield* Effect.flip(MuxStream.write(near, new Uint8Array(0))))._tag, "StreamClosed")
    }).pipe(scenario)
  )
})
