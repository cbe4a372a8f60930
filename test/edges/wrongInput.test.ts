import { assert, describe, it } from "@effect/vitest"
import { NodeSocket } from "@effect/platform-node"
import { FrameReader, FrameWriter, MuxadoError, MuxStream, Session, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import { Effect, Fiber } from "effect"
import { call, echo, ending, quick, quietly, test, wrong } from "./support.js"

const values: ReadonlyArray<unknown> = [undefined, null, -1, 1.5, NaN, "x", {}, [], Symbol("s"), 10n, () => 1]

const nameOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value)

describe("a wrong argument of a stream", () => {
  for (const value of [null, undefined, 0, true, {}, [1], new ArrayBuffer(4), Uint16Array.of(1), new Date(0), 1n]) {
    test(`write(${nameOf(value)}) fails with InvalidOptions, and the next write of the stream is sent`, ({
      client,
      server
    }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(echo))
        const stream = yield* client.open()
        const error = yield* Effect.flip(MuxStream.write(stream, wrong(value)))
        assert.strictEqual(error._tag, "InvalidOptions")
        assert.match(error.message, /^Invalid options: write: takes a Uint8Array or a string, not /)
        yield* MuxStream.write(stream, "good")
        yield* MuxStream.finish(stream)
        assert.strictEqual(new TextDecoder().decode(yield* MuxStream.readAll(stream)), "good")
      }))
  }

  for (const value of values) {
    test(`reset(${nameOf(value)}) dies with a text that names the value, and the session goes on`, ({
      client,
      server
    }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(echo))
        const end = yield* ending(client.withStream((stream) => MuxStream.reset(stream, wrong(value))))
        assert.match(end, /^dies InvalidOptions: .*reset: the code must be an integer from 0 to 4294967295, not /)
        assert.strictEqual(yield* call(client), "hello")
      }))
  }

  for (const value of values.filter((value) => value !== undefined && value !== 1.5)) {
    test(`readAll with maxBytes ${nameOf(value)} fails with InvalidOptions and takes nothing`, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(echo))
        const answer = yield* client.withStream((stream) =>
          Effect.gen(function* () {
            yield* MuxStream.write(stream, "kept")
            yield* MuxStream.finish(stream)
            const end = yield* ending(MuxStream.readAll(stream, wrong({ maxBytes: value })))
            assert.match(end, /^fails InvalidOptions: .*maxBytes must be a number of bytes, 0 or more, not /)
            return yield* MuxStream.readAll(stream)
          })
        )
        assert.strictEqual(new TextDecoder().decode(answer), "kept")
      }))
  }
})

describe("a wrong argument of a session", () => {
  for (const value of [null, -1, 1.5, NaN, "x", [], 10n, 2 ** 32, 0xffffffff]) {
    test(`open with type ${nameOf(value)} fails with InvalidOptions and uses no stream id`, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(echo))
        const end = yield* ending(client.open(wrong({ type: value })))
        assert.match(end, /^fails InvalidOptions: .*the stream type must be a uint32 below 0xFFFFFFFF/)
        assert.strictEqual((yield* client.stats).opened, 0)
        assert.strictEqual(yield* call(client), "hello")
      }))
  }

  for (const method of ["goAway", "closeWith"] as const) {
    for (const value of values.filter((value) => value !== undefined)) {
      test(`${method} with code ${nameOf(value)} dies with a text, and says nothing to the peer`, ({
        client,
        server
      }) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve(echo))
          const end = yield* ending(client[method](wrong({ code: value })))
          assert.match(end, new RegExp(`^dies InvalidOptions: .*${method}: the code must be an integer`))
          assert.strictEqual(yield* call(client), "hello")
          assert.strictEqual(yield* ending(server.draining), "waits")
        }))
    }

    test(`${method} with a text that is no string dies with a text, and says nothing to the peer`, ({
      client,
      server
    }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(echo))
        for (const value of [null, 3, {}, Symbol("s")]) {
          const end = yield* ending(client[method](wrong({ debug: value })))
          assert.match(end, new RegExp(`^dies InvalidOptions: .*${method}: the debug text must be a string, not `))
        }
        assert.strictEqual(yield* call(client), "hello")
        assert.strictEqual(yield* ending(server.draining), "waits")
      }))
  }

  test("a drain with no duration dies, and the session goes on", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      for (const value of [null, "soon", {}, Symbol("s")]) {
        assert.match(yield* ending(client.drain(wrong(value))), /^dies /)
      }
      assert.strictEqual(yield* call(client), "hello")
    }))

  for (const value of [0, -1, NaN, "x", "inherit", {}, 10n]) {
    test(`serve with concurrency ${nameOf(value)} dies before it takes a stream`, ({ client, server }) =>
      Effect.gen(function* () {
        const end = yield* ending(server.serve(echo, wrong({ concurrency: value })))
        assert.match(end, /^dies InvalidOptions: .*serve: the concurrency must be at least 1 or "unbounded", not /)
        yield* Effect.forkScoped(server.serve(echo))
        assert.strictEqual(yield* call(client), "hello")
      }))
  }

  for (const handler of [undefined, "x", null, 7]) {
    test(`serve with a handler that is ${String(handler)} dies before it takes a stream`, ({ server }) =>
      Effect.gen(function* () {
        assert.match(
          yield* ending(server.serve(wrong<typeof echo>(handler))),
          /^dies InvalidOptions: .*serve: the handler must be a function, not /
        )
      }))
  }

  for (const handler of [() => 3, () => undefined]) {
    test(`a handler of serve that is ${String(handler)} resets its stream, and serve goes on`, ({ client, server }) =>
      Effect.gen(function* () {
        const serving = yield* Effect.forkScoped(server.serve(wrong<typeof echo>(handler)))
        for (let i = 0; i < 2; i++) {
          assert.match(yield* ending(call(client)), /^fails StreamReset: .*InternalError \(2\)/)
        }
        assert.isNull(serving.unsafePoll())
        yield* client.ping
      }).pipe(quietly))
  }

  test("a use of withStream that is no function fails, one that gives no effect dies, and no stream stays open", ({
    client,
    server
  }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      for (const use of [undefined, 3, { type: 1 }]) {
        const end = yield* ending(client.withStream(wrong<typeof echo>(use), wrong(echo)))
        assert.match(end, /^fails InvalidOptions: .*withStream: the first argument must be a function/)
      }
      assert.match(yield* ending(client.withStream(wrong<typeof echo>(() => 3))), /^dies /)
      assert.strictEqual((yield* client.stats).outboundStreams, 0)
      assert.strictEqual(yield* call(client), "hello")
    }))
})

describe("wrong options of a session", () => {
  it.scoped("all of them are named at once, each with what was given", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const error = yield* Effect.flip(
        Session.fromTransport(
          link.client,
          wrong({ role: "clint", window: 3, typed: "yes", heartbeat: { interval: "soon" }, windw: 4, drainTimeout: -5 })
        )
      )
      const lines = error.detail.split("\n").map((line) => line.trim())
      for (const start of ["role:", "window:", "typed:", "heartbeat.interval:", "windw:", "drainTimeout:"]) {
        assert.isTrue(
          lines.some((line) => line.startsWith(start)),
          `${start} is not in ${error.detail}`
        )
      }
    })
  )

  for (const value of values.filter((value) => value !== undefined)) {
    it.scoped(`options that are ${nameOf(value)} fail with InvalidOptions`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const error = yield* Effect.flip(Session.fromTransport(link.client, wrong(value)))
        assert.strictEqual(error._tag, "InvalidOptions")
      })
    )
  }

  for (const key of ["role", "window", "heartbeat", "frameLog", "drainTimeout"]) {
    it.scoped(`a getter of ${key} that throws fails with InvalidOptions that names it`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const options = Object.defineProperty({ role: "client" }, key, {
          enumerable: true,
          get: () => {
            throw new Error("read")
          }
        })
        const error = yield* Effect.flip(Session.fromTransport(link.client, wrong(options)))
        assert.match(error.message, new RegExp(`${key}: cannot be read`))
      })
    )
  }

  test("a getter is read once, so that what was checked is what is used", () =>
    Effect.gen(function* () {
      let reads = 0
      const link = yield* SimulatedTransport.makePair()
      const options = {
        ...quick,
        role: "client" as const,
        get window() {
          return reads++ === 0 ? 65_536 : 3
        }
      }
      yield* Session.fromTransport(link.client, options)
      yield* Session.fromTransport(link.server, { ...quick, role: "server" })
      assert.strictEqual(reads, 1)
    }))

  test("options that are changed afterwards change nothing", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const options = { ...quick, role: "client" as const, maxOutboundStreams: 1 }
      const client = yield* Session.fromTransport(link.client, options)
      yield* Session.fromTransport(link.server, { ...quick, role: "server" })
      options.maxOutboundStreams = 2
      yield* client.open()
      assert.strictEqual(yield* ending(client.open()), "waits")
    }))
})

describe("wrong arguments of the transports and servers of Node", () => {
  for (const value of [undefined, null, -1, 1.5, "x", {}, 70_000]) {
    it.scoped(`port ${nameOf(value)} is refused before anything is opened`, () =>
      Effect.gen(function* () {
        const client = yield* Effect.flip(NodeTransport.makeTcp(wrong({ port: value })))
        assert.match(client.message, /port must be an integer from 1 to 65535, not /)
        assert.strictEqual(MuxadoError.retry(client), "NewSession")
        const server = yield* Effect.flip(NodeSessionServer.makeTcp(wrong({ port: value })))
        assert.strictEqual(server._tag, "InvalidOptions")
      })
    )
  }

  it.scoped("a host that is no name is refused", () =>
    Effect.gen(function* () {
      for (const host of [3, null, "", {}]) {
        const client = yield* Effect.flip(NodeTransport.makeTcp(wrong({ port: 1, host })))
        assert.match(client.message, /host must be a non-empty string, not /)
        const server = yield* Effect.flip(NodeSessionServer.makeTcp(wrong({ port: 0, host })))
        assert.match(server.message, /host must be a non-empty string, not /)
      }
    })
  )

  it.scoped("a path that is no path is refused", () =>
    Effect.gen(function* () {
      for (const path of [3, undefined, "", "a\0b"]) {
        assert.match((yield* Effect.flip(NodeTransport.makeUnix(wrong({ path })))).message, /path /)
        assert.match((yield* Effect.flip(NodeSessionServer.makeUnix(wrong({ path })))).message, /path /)
      }
    })
  )

  it.scoped("options of a server are checked before it listens", () =>
    Effect.gen(function* () {
      for (const options of [null, 3, { maxConnections: 0 }, { nope: 1 }]) {
        const error = yield* Effect.flip(NodeSessionServer.makeTcp({ port: 0, host: "127.0.0.1" }, wrong(options)))
        assert.strictEqual(error._tag, "InvalidOptions")
      }
    })
  )

  it.scoped("a URL that is none fails with Open and names it", () =>
    Effect.gen(function* () {
      for (const url of [3, "", "nonsense"]) {
        const error = yield* Effect.flip(Transport.makeWebSocket(wrong(url)))
        assert.strictEqual(error.reason, "Open")
        assert.include(error.message, String(url))
      }
    }).pipe(Effect.provide(NodeSocket.layerWebSocketConstructor))
  )
})

describe("what is no value of this library", () => {
  it("is no MuxadoError, and never to be retried", () => {
    for (const value of [...values, { _tag: "StreamReset", processed: "no" }, new Error("x")]) {
      assert.isFalse(MuxadoError.isMuxadoError(value))
      assert.strictEqual(MuxadoError.retry(value), "Never")
    }
  })

  test("a transport without a write ends its session with TransportFailed", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const transport = wrong<Transport.TransportService>({ ...link.client, write: undefined })
      const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
      const serving = yield* Effect.fork(call(client).pipe(Effect.flip))
      assert.strictEqual((yield* Fiber.join(serving))._tag, "TransportFailed")
      assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
    }))

  test("a reader and a writer of nothing fail when they are used, and no earlier", () =>
    Effect.gen(function* () {
      const nothing = wrong<Transport.TransportService>({})
      assert.match(yield* ending(FrameReader.make(nothing).take), /^(dies|fails) /)
      assert.match(
        yield* ending(FrameWriter.make(nothing).write([{ _tag: "Rst", streamId: 3, code: 6 }])),
        /^(dies|fails) /
      )
    }))
})
