import { assert, describe, it } from "@effect/vitest"
import { MuxStream, Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedSessions, SimulatedTransport } from "effect-muxado/testing"
import { Context, Effect, Fiber, Layer, Option, Stream } from "effect"
import { call, echo, ending, quick, test, text } from "./support.js"

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
      test(`${name} after ${end}: ${expected}, at once`, (sessions) =>
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
        }))
    }
    for (const [name, operation] of Object.entries(endings)) {
      test(`${name} after ${end} does nothing`, (sessions) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(sessions.server.serve(() => Effect.never))
          const stream = yield* sessions.client.open()
          yield* MuxStream.write(stream, "1")
          yield* finish(sessions, stream)
          assert.strictEqual(yield* ending(operation(stream)), "ok")
        }))
    }
  }

  test("finish after close is the same as once; after a reset it says so", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      const closed = yield* client.open()
      yield* MuxStream.close(closed)
      assert.strictEqual(yield* ending(MuxStream.finish(closed)), "ok")
      const reset = yield* client.open()
      yield* MuxStream.reset(reset, 7)
      assert.match(yield* ending(MuxStream.finish(reset)), /^fails StreamReset: /)
    }))

  test("a stream that left its withStream is closed, and says so", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      const stream = yield* client.withStream((stream) => Effect.succeed(stream))
      assert.match(
        yield* ending(MuxStream.write(stream, "late")),
        /^fails StreamClosed: Stream 3 is closed for writing/
      )
      assert.match(yield* ending(MuxStream.readAll(stream)), /^fails StreamClosed: Stream 3 is closed for reading/)
    }))
})

describe("a stream's operations twice", () => {
  test("the second readAll, and every read after it, finds nothing more", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve((stream) => MuxStream.write(stream, "once")))
      const stream = yield* client.open()
      yield* MuxStream.write(stream, "go")
      assert.strictEqual(text(yield* MuxStream.readAll(stream)), "once")
      assert.strictEqual((yield* MuxStream.readAll(stream)).length, 0)
      assert.isTrue(Option.isNone(yield* MuxStream.read(stream)))
    }))

  test("finish, close, reset and stopReading twice are the same as once", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      for (const [name, operation] of Object.entries({ finish: MuxStream.finish, ...endings })) {
        const stream = yield* client.open()
        yield* MuxStream.write(stream, "1")
        assert.strictEqual(yield* ending(operation(stream)), "ok", name)
        assert.strictEqual(yield* ending(operation(stream)), "ok", name)
        yield* MuxStream.reset(stream, 6)
      }
      assert.strictEqual(yield* call(client), "hello")
    }))

  for (const name of ["toSink", "toChannel", "toSocket.writer"] as const) {
    test(`a second ${name} on a stream that the first has finished fails`, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(echo))
        const stream = yield* client.open()
        const operation = writes[name]
        if (operation === undefined) return assert.fail("no such operation")
        assert.strictEqual(yield* ending(operation(stream)), "ok")
        assert.match(yield* ending(operation(stream)), /^fails (StreamClosed|SocketError): /)
      }))
  }

  test("two toSinks of one stream never lose bytes without an error", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      const source = Stream.make("a", "b").pipe(Stream.rechunk(1))
      const stream = yield* client.open()
      const both = yield* ending(
        Effect.all([Stream.run(source, MuxStream.toSink(stream)), Stream.run(source, MuxStream.toSink(stream))], {
          concurrency: 2
        })
      )
      if (both === "ok") assert.strictEqual((yield* MuxStream.readAll(stream)).length, 4)
      else assert.match(both, /^fails StreamClosed: /)
    }))
})

describe("a session after its end", () => {
  const ends: Record<
    string,
    readonly [(sessions: SimulatedSessions.SimulatedSessionsService) => Effect.Effect<void>, string]
  > = {
    close: [({ client }) => client.close, "SessionClosed"],
    drain: [({ client }) => client.drain(), "SessionClosed"],
    "the peer's close": [({ server }) => server.close, "RemoteGoneAway"],
    "a cut": [({ link }) => link.cut, "TransportFailed"]
  }
  for (const [end, [finish, tag]] of Object.entries(ends)) {
    test(`open, withStream, accept and ping after ${end} fail with ${tag}; closed and draining give it`, (sessions) =>
      Effect.gen(function* () {
        const { client } = sessions
        yield* finish(sessions)
        yield* Effect.sleep(1)
        const failing = new RegExp(`^fails ${tag}: `)
        assert.match(yield* ending(client.open()), failing)
        assert.match(yield* ending(client.withStream(() => Effect.void)), failing)
        assert.match(yield* ending(client.accept), failing)
        assert.match(yield* ending(client.ping), failing)
        assert.strictEqual((yield* client.closed)._tag, tag)
        assert.strictEqual((yield* client.draining)._tag, tag)
      }))

    test(`serve, goAway, drain, close, closeWith and stats after ${end} complete`, (sessions) =>
      Effect.gen(function* () {
        const { client } = sessions
        yield* finish(sessions)
        yield* Effect.sleep(1)
        assert.strictEqual(yield* ending(client.serve(echo)), "ok")
        assert.strictEqual(yield* ending(client.goAway({ code: 99, debug: "late" })), "ok")
        assert.strictEqual(yield* ending(client.drain()), "ok")
        assert.strictEqual(yield* ending(client.close), "ok")
        assert.strictEqual(yield* ending(client.closeWith({ code: 98 })), "ok")
        assert.strictEqual((yield* client.stats).inboundStreams, 0)
        assert.strictEqual((yield* client.closed)._tag, tag)
      }))
  }

  test("all of them after the session's scope has closed", () =>
    Effect.gen(function* () {
      const { client } = yield* Effect.scoped(SimulatedSessions.make({ both: quick }))
      assert.match(yield* ending(client.open()), /^fails (RemoteGoneAway|SessionClosed): /)
      assert.strictEqual(yield* ending(client.serve(echo)), "ok")
      assert.strictEqual(yield* ending(client.close), "ok")
      assert.strictEqual(yield* ending(client.closed), "ok")
    }))
})

describe("a session's operations twice, or two at once", () => {
  test("two drains, two closes, and both at once complete together", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      const stream = yield* client.open()
      yield* MuxStream.write(stream, "held")
      const all = Effect.all(
        [client.drain(50), client.drain(50), client.close, client.close, client.closeWith({ code: 99 })],
        {
          concurrency: "unbounded"
        }
      )
      assert.strictEqual(yield* ending(all), "ok")
    }))

  test("two serves of one session share its streams, each stream once", ({ client, server }) =>
    Effect.gen(function* () {
      let handled = 0
      const handler = (stream: MuxStream.MuxStream) =>
        Effect.zipRight(
          Effect.sync(() => handled++),
          echo(stream)
        )
      yield* Effect.forkScoped(server.serve(handler))
      yield* Effect.forkScoped(server.serve(handler))
      const answers = yield* Effect.forEach(["a", "b", "c", "d"], (data) => call(client, data), { concurrency: 4 })
      assert.deepStrictEqual(answers, ["a", "b", "c", "d"])
      assert.strictEqual(handled, 4)
    }))

  test("pings at the same time each have their answer", ({ client }) =>
    Effect.gen(function* () {
      assert.strictEqual(
        (yield* Effect.all(
          Array.from({ length: 20 }, () => client.ping),
          { concurrency: 20 }
        )).length,
        20
      )
    }))
})

describe("two of everything in one program", () => {
  test("a second session on a transport is refused, and the first goes on", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* Session.fromTransport(link.client, { ...quick, role: "client" })
      const server = yield* Session.fromTransport(link.server, { ...quick, role: "server" })
      yield* Effect.forkScoped(server.serve(echo))
      const error = yield* Effect.flip(Session.fromTransport(link.client, { ...quick, role: "client" }))
      assert.match(error.message, /^Invalid options: this transport already carries a session/)
      assert.strictEqual(yield* call(client), "hello")
    }))

  test("a session that was refused for its options leaves the transport to the next", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      yield* Effect.flip(Session.fromTransport(link.client, { role: "client", window: 1 }))
      const client = yield* Session.fromTransport(link.client, { ...quick, role: "client" })
      const server = yield* Session.fromTransport(link.server, { ...quick, role: "server" })
      yield* Effect.forkScoped(server.serve(echo))
      assert.strictEqual(yield* call(client), "hello")
    }))

  test("pairs made side by side do not see one another", ({ client, server }) =>
    Effect.gen(function* () {
      const other = yield* SimulatedSessions.make({ both: quick })
      yield* Effect.forkScoped(server.serve((stream) => MuxStream.write(stream, "one")))
      yield* Effect.forkScoped(other.server.serve((stream) => MuxStream.write(stream, "two")))
      assert.deepStrictEqual(yield* Effect.all([call(client), call(other.client)], { concurrency: 2 }), ["one", "two"])
    }))

  class One extends Context.Tag("test/edges/One")<One, Session.SessionService>() {}
  class Two extends Context.Tag("test/edges/Two")<Two, Session.SessionService>() {}

  const named = (name: string) =>
    Effect.gen(function* () {
      const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
      let connections = 0
      yield* Effect.forkScoped(
        server.run((session) => {
          connections++
          return session.serve((stream) => MuxStream.write(stream, name))
        })
      )
      const port = server.address._tag === "TcpAddress" ? server.address.port : 0
      const layer = Session.layerClient(quick).pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port })))
      return { layer, port, connections: () => connections }
    })

  it.scopedLive("two clients of two servers in one program, with one options' layer", () =>
    Effect.gen(function* () {
      const client = Session.layerClient(quick)
      const [one, two] = [yield* named("one"), yield* named("two")]
      const to = (port: number) => Layer.provide(client, NodeTransport.layerTcp({ host: "127.0.0.1", port }))
      const live = Layer.merge(
        Layer.project(to(one.port), Session.Session, One, (session) => session),
        Layer.project(to(two.port), Session.Session, Two, (session) => session)
      )
      const answers = Effect.gen(function* () {
        return [yield* call(yield* One), yield* call(yield* Two)]
      })
      assert.deepStrictEqual(yield* Effect.provide(answers, live), ["one", "two"])
    })
  )

  it.scopedLive("one composed layer used twice is one connection", () =>
    Effect.gen(function* () {
      const { connections, layer } = yield* named("one")
      const live = Layer.merge(
        Layer.project(layer, Session.Session, One, (session) => session),
        Layer.project(layer, Session.Session, Two, (session) => session)
      )
      const same = Effect.gen(function* () {
        const [one, two] = [yield* One, yield* Two]
        yield* call(one)
        yield* call(two)
        return one === two
      })
      assert.isTrue(yield* Effect.provide(same, live))
      assert.strictEqual(connections(), 1)
    })
  )

  it.scopedLive("two servers on one port: the second says that the address is in use", () =>
    Effect.gen(function* () {
      const { port } = yield* named("one")
      const error = yield* Effect.flip(NodeSessionServer.makeTcp({ host: "127.0.0.1", port }))
      assert.include(error.message, `127.0.0.1:${port}`)
      assert.include(error.message, "EADDRINUSE")
    })
  )

  it.scopedLive("run runs once: not twice, not again after an interruption, not after the server's scope", () =>
    Effect.gen(function* () {
      const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
      const running = yield* Effect.fork(server.run(() => Effect.void))
      yield* Effect.yieldNow()
      assert.strictEqual((yield* Effect.flip(server.run(() => Effect.void)))._tag, "ServerFailed")
      yield* Fiber.interrupt(running)
      assert.strictEqual((yield* Effect.flip(server.run(() => Effect.void)))._tag, "ServerFailed")
      const over = yield* Effect.scoped(NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick))
      assert.strictEqual((yield* Effect.flip(over.run(() => Effect.void)))._tag, "ServerFailed")
    })
  )
})
