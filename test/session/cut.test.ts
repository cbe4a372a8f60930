/** A stream whose writing was cut never looks like one that has ended, whatever the handler makes of the failure. */
import { assert, describe, it } from "@effect/vitest"
import type { Session } from "effect-muxado"
import { ErrorCode, MuxStream } from "effect-muxado"
import type { SimulatedSessions } from "effect-muxado/testing"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { failing } from "../support/failing.js"
import { quietly } from "../support/logs.js"
import { ending, sessionTest } from "../support/session/sessionTest.js"
import { decoded, encoded, makePair, passTimeUntil, scenario } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

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

describe("an upload of which the source", () => {
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

describe("toChannel that is cut", () => {
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

  it.effect("finishes the stream when its input ends, and outputs the answer", () =>
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

  it.effect("that is interrupted before its first input resets the stream", () =>
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

/** What the peer's `readAll` of the next stream gives: the whole, as a number of bytes, or `"cut"`. */
const peerReads = (server: SimulatedSessions.SimulatedSessionsService["server"]) =>
  Effect.gen(function* () {
    const got = yield* Deferred.make<number | "cut">()
    yield* Effect.forkScoped(
      server.serve((stream) =>
        MuxStream.readAll(stream).pipe(
          Effect.onExit((exit) => Deferred.succeed(got, Exit.isSuccess(exit) ? exit.value.length : "cut"))
        )
      )
    )
    return Deferred.await(got)
  })

const chunk = (bytes: number) => Stream.make(new Uint8Array(bytes))

/** Sources that break after their first chunk. */
const broken: Record<string, (bytes: number) => Stream.Stream<Uint8Array, unknown>> = {
  fails: (bytes) => Stream.concat(chunk(bytes), Stream.fail("the disk broke")),
  dies: (bytes) => Stream.concat(chunk(bytes), Stream.die("the disk broke")),
  "is interrupted": (bytes) => Stream.concat(chunk(bytes), Stream.fromEffect(Effect.interrupt)),
  "is timed out": (bytes) => Stream.concat(chunk(bytes), Stream.never),
  "gives a number": (bytes) => Stream.concat(chunk(bytes), Stream.make(3 as unknown as Uint8Array))
}

type Upload = (source: Stream.Stream<Uint8Array, unknown>, stream: MuxStream.MuxStream) => Effect.Effect<void, unknown>

const conversions: Record<string, Upload> = {
  toSink: (source, stream) => Stream.run(source, MuxStream.toSink(stream)),
  toChannel: (source, stream) => Stream.runDrain(Stream.pipeThroughChannelOrFail(source, MuxStream.toChannel(stream))),
  "toSocket's writer": (source, stream) =>
    Effect.scoped(Effect.flatMap(MuxStream.toSocket(stream).writer, (write) => Stream.runForEach(source, write)))
}

const outcomeAtPeer = (server: Session.SessionService) =>
  Effect.gen(function* () {
    const got = yield* Deferred.make<"whole" | "cut">()
    yield* Effect.forkScoped(
      server.serve((stream) =>
        MuxStream.readAll(stream).pipe(
          Effect.onExit((exit) => Deferred.succeed(got, Exit.isSuccess(exit) ? "whole" : "cut"))
        )
      )
    )
    return Deferred.await(got)
  })

const endless = Stream.concat(Stream.make(new Uint8Array(5)), Stream.never)

describe("an upload that was cut never looks complete", () => {
  for (const [conversion, upload] of Object.entries(conversions)) {
    for (const [way, source] of Object.entries(broken)) {
      for (const bytes of [5, 600_000]) {
        sessionTest(
          `${conversion}, whose input ${way} after ${bytes} bytes, the failure handled`,
          ({ client, server }) =>
            Effect.gen(function* () {
              const peer = yield* peerReads(server)
              yield* client.withStream((stream) => Effect.exit(Effect.timeout(upload(source(bytes), stream), 50)))
              assert.strictEqual(yield* peer, "cut")
            })
        )
      }
    }

    sessionTest(`${conversion}, in a race that it loses`, ({ client, server }) =>
      Effect.gen(function* () {
        const peer = yield* peerReads(server)
        const source = Stream.concat(chunk(5), Stream.never)
        yield* client.withStream((stream) => Effect.raceFirst(upload(source, stream), Effect.sleep(50)))
        assert.strictEqual(yield* peer, "cut")
      })
    )

    sessionTest(`${conversion}, interrupted by its fiber, and the handler succeeds`, ({ client, server }) =>
      Effect.gen(function* () {
        const peer = yield* peerReads(server)
        const source = Stream.concat(chunk(5), Stream.never)
        yield* client.withStream((stream) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(upload(source, stream))
            yield* Effect.sleep(50)
            yield* Fiber.interrupt(fiber)
          })
        )
        assert.strictEqual(yield* peer, "cut")
      })
    )

    sessionTest(`${conversion} of a source that ends is whole`, ({ client, server }) =>
      Effect.gen(function* () {
        const peer = yield* peerReads(server)
        yield* client.withStream((stream) => upload(chunk(600_000), stream))
        assert.strictEqual(yield* peer, 600_000)
      })
    )
  }

  sessionTest("a write that waits in a forked fiber when the handler succeeds", ({ client, server }) =>
    Effect.gen(function* () {
      const got = yield* Deferred.make<string>()
      yield* Effect.forkScoped(
        server.serve((stream) =>
          Effect.zipRight(Effect.sleep(50), MuxStream.readAll(stream)).pipe(
            Effect.onExit((exit) => Deferred.succeed(got, exit._tag))
          )
        )
      )
      yield* client.withStream((stream) =>
        Effect.zipRight(Effect.fork(MuxStream.write(stream, new Uint8Array(1_000_000))), Effect.yieldNow())
      )
      assert.strictEqual(yield* Deferred.await(got), "Failure")
    })
  )
})

describe("a download that was cut never looks complete", () => {
  type Download = (stream: MuxStream.MuxStream) => Effect.Effect<unknown, unknown>
  const downloads: Record<string, Download> = {
    readAll: (stream) => MuxStream.readAll(stream),
    toStream: (stream) => Stream.runDrain(MuxStream.toStream(stream)),
    toChannel: (stream) => Stream.runDrain(Stream.pipeThroughChannelOrFail(Stream.never, MuxStream.toChannel(stream))),
    "toSocket.run": (stream) => MuxStream.toSocket(stream).run(() => undefined),
    toReadableStream: (stream) =>
      Effect.tryPromise(async () => {
        const reader = Stream.toReadableStream(MuxStream.toStream(stream)).getReader()
        while (!(await reader.read()).done) continue
      })
  }
  type Sessions = SimulatedSessions.SimulatedSessionsService
  const ends: Record<string, (stream: MuxStream.MuxStream, sessions: Sessions) => Effect.Effect<void, string>> = {
    "the handler fails": () => Effect.fail("x"),
    "the handler dies": () => Effect.die("x"),
    "the stream is reset with NoError": (stream) => MuxStream.reset(stream, 0),
    "the peer closes": (_, { server }) => Effect.zipRight(Effect.forkDaemon(server.close), Effect.never),
    "the peer's drain runs out": (_, { server }) => Effect.zipRight(Effect.forkDaemon(server.drain(30)), Effect.never),
    "the connection is cut": (_, { link }) => Effect.zipRight(link.cut, Effect.never)
  }
  for (const [download, read] of Object.entries(downloads)) {
    for (const [end, cut] of Object.entries(ends)) {
      sessionTest(`${download} when ${end}`, (sessions) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(
            sessions.server.serve((stream) =>
              Effect.zipRight(
                MuxStream.write(stream, new Uint8Array(5000)),
                Effect.zipRight(Effect.sleep(30), cut(stream, sessions))
              )
            )
          )
          const seen = yield* ending(
            sessions.client.withStream((stream) => Effect.zipRight(MuxStream.write(stream, "go"), read(stream)))
          )
          assert.match(seen, /^fails /)
        }).pipe(quietly)
      )
    }
  }
})

describe("a stream that was cut does not look complete", () => {
  const uploads: Record<string, (stream: MuxStream.MuxStream) => Effect.Effect<void, unknown>> = {
    writable: (stream) => Stream.run(endless, MuxStream.toSink(stream)),
    toChannel: (stream) => Stream.runDrain(Stream.pipeThroughChannelOrFail(endless, MuxStream.toChannel(stream))),
    "toSocket's writer": (stream) =>
      Effect.scoped(Effect.flatMap(MuxStream.toSocket(stream).writer, (write) => Stream.runForEach(endless, write)))
  }
  for (const [conversion, upload] of Object.entries(uploads)) {
    sessionTest(
      `${conversion} that still runs in a forked fiber when the handler succeeds is reset: the peer sees a cut`,
      ({ client, server }) =>
        Effect.gen(function* () {
          const peer = yield* outcomeAtPeer(server)
          yield* client.withStream((stream) => Effect.zipRight(Effect.fork(upload(stream)), Effect.sleep(10)))
          assert.strictEqual(yield* peer, "cut")
        })
    )
  }
})

describe("a use of withStream", () => {
  sessionTest("that throws, dies, fails or interrupts itself ends its stream as cut", ({ client, server }) =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      yield* Effect.forkScoped(
        server.serve((stream) =>
          Effect.zipRight(MuxStream.read(stream), MuxStream.readAll(stream)).pipe(
            Effect.onExit((exit) => Effect.sync(() => seen.push(exit._tag)))
          )
        )
      )
      for (const fault of Object.values(failing)) {
        const use = (stream: MuxStream.MuxStream) =>
          Effect.zipRight(
            MuxStream.write(stream, "x"),
            Effect.zipRight(
              Effect.sleep(1),
              Effect.suspend(() => wrong<Effect.Effect<void>>(fault()))
            )
          )
        assert.match(yield* ending(client.withStream(use)), /^(dies|fails|is interrupted)/)
      }
      yield* Effect.sleep(5)
      assert.deepStrictEqual(
        seen,
        Object.values(failing).map(() => "Failure")
      )
      assert.strictEqual((yield* client.stats).outboundStreams, 0)
    })
  )
})
