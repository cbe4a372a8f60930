/** The operations of a stream after its end, and twice. */
import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import type { SimulatedSessions } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import { call, echoWhole, ending, sessionTest } from "../support/session/sessionTest.js"
import { decoded, encoded, makePair, scenario, settle } from "../support/session/sessions.js"

type Operation = (stream: MuxStream.MuxStream) => Effect.Effect<unknown, unknown>

const reads: Record<string, Operation> = {
  read: MuxStream.read,
  readAll: (stream) => MuxStream.readAll(stream),
  toStream: (stream) => Stream.runDrain(MuxStream.toStream(stream)),
  "toSocket.run": (stream) => MuxStream.toSocket(stream).run(() => undefined)
}

const writes: Record<string, Operation> = {
  write: (stream) => MuxStream.write(stream, "late"),
  toSink: (stream) => Stream.run(Stream.make("late"), MuxStream.toSink(stream)),
  toChannel: (stream) =>
    Stream.runDrain(Stream.pipeThroughChannelOrFail(Stream.make("late"), MuxStream.toChannel(stream))),
  "toSocket.writer": (stream) =>
    Effect.scoped(Effect.flatMap(MuxStream.toSocket(stream).writer, (write) => write("late")))
}

const endings: Record<string, Operation> = {
  close: MuxStream.close,
  reset: (stream) => MuxStream.reset(stream, 7),
  stopReading: MuxStream.stopReading
}

describe("a stream after its end", () => {
  const ends: Record<
    string,
    readonly [
      (sessions: SimulatedSessions.SimulatedSessionsService, stream: MuxStream.MuxStream) => Effect.Effect<void>,
      string
    ]
  > = {
    close: [(_, stream) => MuxStream.close(stream), "StreamClosed"],
    reset: [(_, stream) => MuxStream.reset(stream, 7), "StreamReset"],
    "the session's close": [({ client }) => client.close, "SessionClosed"],
    "the peer's close": [({ server }) => server.close, "RemoteGoneAway"],
    "a cut": [({ link }) => link.cut, "TransportFailed"]
  }
  for (const [end, [finish, tag]] of Object.entries(ends)) {
    for (const [name, operation] of Object.entries({ ...reads, ...writes })) {
      // A platform Socket knows one kind of error, and takes the end by `close` for an orderly one.
      const expected = name.startsWith("toSocket")
        ? end === "close" && name === "toSocket.run"
          ? "ok"
          : "SocketError"
        : tag
      sessionTest(`${name} after ${end}: ${expected}, at once`, (sessions) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(sessions.server.serve(() => Effect.never))
          const stream = yield* sessions.client.open()
          yield* MuxStream.write(stream, "1")
          yield* Effect.sleep(1)
          yield* finish(sessions, stream)
          yield* Effect.sleep(1)
          const seen = yield* ending(operation(stream))
          if (expected === "ok") assert.strictEqual(seen, "ok")
          else assert.match(seen, new RegExp(`^fails ${expected}:`))
        })
      )
    }
    for (const [name, operation] of Object.entries(endings)) {
      sessionTest(`${name} after ${end} does nothing`, (sessions) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(sessions.server.serve(() => Effect.never))
          const stream = yield* sessions.client.open()
          yield* MuxStream.write(stream, "1")
          yield* finish(sessions, stream)
          assert.strictEqual(yield* ending(operation(stream)), "ok")
        })
      )
    }
  }

  sessionTest("finish after close is the same as once; after a reset it says so", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      const closed = yield* client.open()
      yield* MuxStream.close(closed)
      assert.strictEqual(yield* ending(MuxStream.finish(closed)), "ok")
      const reset = yield* client.open()
      yield* MuxStream.reset(reset, 7)
      assert.match(yield* ending(MuxStream.finish(reset)), /^fails StreamReset: /)
    })
  )

  sessionTest("a stream that left its withStream is closed, and says so", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echoWhole))
      const stream = yield* client.withStream((stream) => Effect.succeed(stream))
      assert.match(
        yield* ending(MuxStream.write(stream, "late")),
        /^fails StreamClosed: Stream 3 is closed for writing/
      )
      assert.match(yield* ending(MuxStream.readAll(stream)), /^fails StreamClosed: Stream 3 is closed for reading/)
    })
  )
})

describe("a stream's operations twice", () => {
  sessionTest("the second readAll, and every read after it, finds nothing more", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve((stream) => MuxStream.write(stream, "once")))
      const stream = yield* client.open()
      yield* MuxStream.write(stream, "go")
      assert.strictEqual(decoded(yield* MuxStream.readAll(stream)), "once")
      assert.strictEqual((yield* MuxStream.readAll(stream)).length, 0)
      assert.isTrue(Option.isNone(yield* MuxStream.read(stream)))
    })
  )

  sessionTest("finish, close, reset and stopReading twice are the same as once", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echoWhole))
      for (const [name, operation] of Object.entries({ finish: MuxStream.finish, ...endings })) {
        const stream = yield* client.open()
        yield* MuxStream.write(stream, "1")
        assert.strictEqual(yield* ending(operation(stream)), "ok", name)
        assert.strictEqual(yield* ending(operation(stream)), "ok", name)
        yield* MuxStream.reset(stream, 6)
      }
      assert.strictEqual(yield* call(client), "hello")
    })
  )

  for (const name of ["toSink", "toChannel", "toSocket.writer"] as const) {
    sessionTest(`a second ${name} on a stream that the first has finished fails`, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(echoWhole))
        const stream = yield* client.open()
        const operation = writes[name]
        if (operation === undefined) return assert.fail("no such operation")
        assert.strictEqual(yield* ending(operation(stream)), "ok")
        assert.match(yield* ending(operation(stream)), /^fails (StreamClosed|SocketError): /)
      })
    )
  }

  sessionTest("two toSinks of one stream never lose bytes without an error", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echoWhole))
      const source = Stream.make("a", "b").pipe(Stream.rechunk(1))
      const stream = yield* client.open()
      const both = yield* ending(
        Effect.all([Stream.run(source, MuxStream.toSink(stream)), Stream.run(source, MuxStream.toSink(stream))], {
          concurrency: 2
        })
      )
      if (both === "ok") assert.strictEqual((yield* MuxStream.readAll(stream)).length, 4)
      else assert.match(both, /^fails StreamClosed: /)
    })
  )
})

it.effect("a read that yields at the moment when its stream ends completes", () =>
  Effect.gen(function* () {
    const { client } = yield* makePair({ server: { maxInboundStreams: 200 } })
    const endings = {
      reset: (stream: MuxStream.MuxStream) => MuxStream.reset(stream, 1),
      stopReading: (stream: MuxStream.MuxStream) => MuxStream.stopReading(stream),
      close: (stream: MuxStream.MuxStream) => MuxStream.close(stream)
    }
    for (const [name, ending] of Object.entries(endings)) {
      for (let step = 1; step < 30; step++) {
        const stream = yield* client.open()
        const tasks: Array<() => void> = []
        let operations = 0
        const scheduler = Scheduler.make(
          (task) => void tasks.push(task),
          () => (++operations === step ? 0 : false)
        )
        const reading = Effect.runFork(MuxStream.read(stream), { scheduler })
        yield* ending(stream)
        for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task()
        assert.isNotNull(reading.unsafePoll(), `${name}, pause ${step}: the read waits on`)
      }
    }
  }).pipe(scenario)
)

it.effect("the data-last forms of write and reset do the same as the data-first ones", () =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair()
    const near = yield* client.open()
    const far = yield* server.accept
    yield* MuxStream.write(encoded("x"))(near)
    yield* settle
    yield* MuxStream.reset(3)(near)
    yield* settle
    assert.deepStrictEqual(yield* MuxStream.read(far), Option.some(encoded("x")))
  }).pipe(scenario)
)
