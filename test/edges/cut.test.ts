import { assert, describe } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import { SimulatedSessions } from "effect-muxado/testing"
import { Deferred, Effect, Exit, Fiber, Option, Schedule, Stream } from "effect"
import { logged, quietly } from "../support/logs.js"
import { ending, quick, sessionTest } from "../support/session/sessionTest.js"
import { decoded } from "../support/session/sessions.js"

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

describe("an upload that was cut never looks like one that ended", () => {
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

describe("a download that was cut never looks like one that ended", () => {
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

describe("readAll gives the whole or an error", () => {
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

describe("memory that changes after it was handed over", () => {
  const echoed = (client: SimulatedSessions.SimulatedSessionsService["client"], bytes: Uint8Array, spoil: () => void) =>
    client.withStream((stream) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(MuxStream.write(stream, bytes))
        yield* Effect.yieldNow()
        spoil()
        yield* Fiber.join(writing)
        yield* MuxStream.finish(stream)
        return yield* MuxStream.readAll(stream)
      })
    )
  const echo = (stream: MuxStream.MuxStream) =>
    Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes))

  sessionTest("transferred: that stream is reset, one warning says why, and the session goes on", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const { client, server } = yield* SimulatedSessions.make({ both: quick })
        yield* Effect.forkScoped(server.serve(echo))
        const other = yield* client.open()
        const bytes = new Uint8Array(800_000)
        const transfer = () => structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
        assert.match(yield* ending(echoed(client, bytes, transfer)), /^fails StreamReset: .*InternalError \(2\)/)
        assert.strictEqual(lines.length, 1)
        assert.match(lines[0]?.message ?? "", /^Stream 5 is reset: the memory of its bytes was detached/)
        yield* MuxStream.write(other, "lives")
        yield* MuxStream.finish(other)
        assert.strictEqual(decoded(yield* MuxStream.readAll(other)), "lives")
      })
    )
  )

  sessionTest("WebAssembly memory that grew: the same", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      const memory = new WebAssembly.Memory({ initial: 20 })
      const bytes = new Uint8Array(memory.buffer, 0, 800_000)
      assert.match(
        yield* ending(echoed(client, bytes, () => memory.grow(1))),
        /^fails StreamReset: .*InternalError \(2\)/
      )
      yield* client.ping
    }).pipe(quietly)
  )

  sessionTest("shared memory that another thread changes: what was written is what arrives", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      const bytes = new Uint8Array(new SharedArrayBuffer(200_000)).fill(65)
      const back = yield* echoed(client, bytes, () => void bytes.fill(66))
      assert.isTrue(back.length === 200_000 && back.every((byte) => byte === 65))
    })
  )
})
