import { assert, describe, it } from "@effect/vitest"
import { MuxStream, Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { Census, SimulatedSessions, VirtualTime } from "effect-muxado/testing"
import { Clock, Context, Effect, Fiber, Layer, LogLevel, Option, Scope, Stream, TestClock } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import * as Net from "node:net"
import { call, echo, ending, logged, quick, quietly, test, text } from "./support.js"

const listening = (handler: (session: Session.SessionService) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
    yield* Effect.forkScoped(server.run(handler))
    return server.address._tag === "TcpAddress" ? server.address.port : 0
  })

const dial = (port: number) =>
  Effect.map(
    Layer.build(Session.layerClient(quick).pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port })))),
    (context) => Context.get(context, Session.Session)
  )

describe("the reason of a GOAWAY", () => {
  const texts: Record<string, string> = { ascii: "maintenance", "not ASCII": "größere – 日本語 🎉", empty: "" }
  for (const how of ["goAway, then close", "closeWith", "goAway, then drain"] as const) {
    for (const [name, debug] of Object.entries(texts)) {
      test(`${how}, ${name}: both sides see the same code and text everywhere`, ({ client, server }) =>
        Effect.gen(function* () {
          const reason = { code: 4_000_000_000, debug }
          if (how === "closeWith") yield* server.closeWith(reason)
          else yield* server.goAway(reason)
          if (how === "goAway, then close") yield* server.close
          if (how === "goAway, then drain") yield* server.drain(10)
          const errors = [
            yield* client.draining,
            yield* Effect.flip(client.open()),
            yield* client.closed,
            yield* server.draining,
            yield* server.closed
          ]
          for (const error of errors) {
            if (error._tag !== "RemoteGoneAway" && error._tag !== "SessionClosed") return assert.fail(error._tag)
            assert.strictEqual(error.code, reason.code)
            assert.strictEqual(error.debug ?? "", debug)
          }
        }))
    }
  }

  test("control characters in the text are escaped in every message", ({ client, server }) =>
    Effect.gen(function* () {
      const debug = "a\nb\r\u001b[31mred\u0000\u007f\u0085\u2028end"
      yield* server.closeWith({ code: 99, debug })
      for (const error of [yield* client.closed, yield* client.draining, yield* server.closed]) {
        assert.include(error.message, "a\\nb\\r\\u001b[31mred\\u0000\\u007f\\u0085\\u2028end")
        // eslint-disable-next-line no-control-regex
        assert.notMatch(error.message, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
      }
    }))

  test("a long text is cut between two characters", ({ client, server }) =>
    Effect.gen(function* () {
      yield* server.closeWith({ code: 99, debug: "x" + "é".repeat(1000) })
      const error = yield* client.closed
      if (error._tag !== "RemoteGoneAway") return assert.fail(error._tag)
      assert.match(error.debug, /^xé{100,127}$/)
    }))

  test("the first reason that says something stays, and an empty one does not count", ({ client, server }) =>
    Effect.gen(function* () {
      yield* server.goAway()
      yield* server.goAway({ code: 50, debug: "one" })
      yield* server.closeWith({ code: 51, debug: "two" })
      for (const error of [yield* client.closed, yield* server.closed]) assert.match(error.message, /\(50\).*: one$/)
    }))

  test("two sides that close at once each keep their own reason", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.all([client.closeWith({ code: 50, debug: "c" }), server.closeWith({ code: 51, debug: "s" })], {
        concurrency: 2
      })
      assert.match((yield* client.closed).message, /: c$/)
      assert.match((yield* server.closed).message, /: s$/)
    }))
})

describe("interrupted", () => {
  type Operation = (stream: MuxStream.MuxStream) => Effect.Effect<unknown, unknown>
  const reads: Record<string, Operation> = {
    read: MuxStream.read,
    readAll: (stream) => MuxStream.readAll(stream),
    "toSocket.run": (stream) => MuxStream.toSocket(stream).run(() => undefined)
  }
  for (const [name, read] of Object.entries(reads)) {
    test(`a ${name} that waits loses no byte`, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(
          server.serve((stream) => Effect.zipRight(Effect.sleep(50), MuxStream.write(stream, "all of it")))
        )
        const stream = yield* client.open()
        yield* MuxStream.write(stream, "go")
        const reading = yield* Effect.fork(read(stream))
        yield* Effect.sleep(20)
        yield* Fiber.interrupt(reading)
        assert.strictEqual(text(yield* MuxStream.readAll(stream)), "all of it")
      }))
  }

  const waits: Record<string, (session: Session.SessionService) => Effect.Effect<unknown, unknown>> = {
    accept: (session) => Effect.scoped(session.accept),
    serve: (session) => session.serve(echo),
    draining: (session) => session.draining,
    closed: (session) => session.closed,
    "open at the limit": (session) =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* session.open()
          yield* session.open()
        })
      ),
    withStream: (session) => session.withStream(() => Effect.never)
  }
  for (const [name, wait] of Object.entries(waits)) {
    test(
      `${name} leaves nothing open, and what comes next works`,
      ({ client, server }) =>
        Effect.gen(function* () {
          for (const session of [client, server]) {
            const waiting = yield* Effect.fork(wait(session))
            yield* Effect.sleep(10)
            assert.isNull(waiting.unsafePoll())
            yield* Fiber.interrupt(waiting)
            assert.strictEqual((yield* session.stats).outboundStreams, 0)
          }
          yield* Effect.forkScoped(server.serve(echo))
          assert.strictEqual(yield* call(client), "hello")
        }),
      { both: { ...quick, maxOutboundStreams: 1 } }
    )
  }

  for (const name of ["drain", "close"] as const) {
    test(`${name} goes on when its caller is interrupted`, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(() => Effect.never))
        const stream = yield* client.open()
        yield* MuxStream.write(stream, "held")
        const leaving = yield* Effect.fork(name === "drain" ? client.drain(50) : client.close)
        yield* Effect.yieldNow()
        yield* Fiber.interruptFork(leaving)
        assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
      }))
  }

  test("interrupting serve interrupts its handlers, and a serve after it takes what comes", ({ client, server }) =>
    Effect.gen(function* () {
      const serving = yield* Effect.fork(server.serve(() => Effect.never))
      const calling = yield* Effect.fork(ending(call(client)))
      yield* Effect.sleep(10)
      yield* Fiber.interrupt(serving)
      assert.match(yield* Fiber.join(calling), /^fails StreamReset: .*StreamCancelled/)
      yield* Effect.forkScoped(server.serve(echo))
      assert.strictEqual(yield* call(client), "hello")
    }))

  it.scopedLive("dialling that is interrupted leaves no connection", () =>
    Effect.gen(function* () {
      const sockets: Array<Net.Socket> = []
      const server = yield* Effect.acquireRelease(
        Effect.async<Net.Server>((resume) => {
          const server = Net.createServer((socket) => sockets.push(socket.on("error", () => undefined)))
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      const address = server.address()
      const port = address === null || typeof address === "string" ? 0 : address.port
      const dialling = yield* Effect.fork(Effect.scoped(NodeTransport.makeTls({ host: "127.0.0.1", port })))
      while (sockets.length === 0) yield* Effect.sleep(5)
      yield* Fiber.interrupt(dialling)
      yield* Effect.async<void>((resume) => {
        const [socket] = sockets
        if (socket === undefined || socket.closed) resume(Effect.void)
        else socket.resume().once("close", () => resume(Effect.void))
      })
    })
  )
})

describe("started late", () => {
  test("a serve after the streams came serves them all", ({ client, server }) =>
    Effect.gen(function* () {
      const calls = yield* Effect.fork(Effect.forEach([1, 2, 3, 4], () => call(client), { concurrency: 4 }))
      yield* Effect.sleep(1000)
      yield* Effect.forkScoped(server.serve(echo))
      assert.deepStrictEqual(yield* Fiber.join(calls), ["hello", "hello", "hello", "hello"])
    }))

  test("an accept after a stream came and was reset skips nothing that lives", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.exit(
        client.withStream((stream) =>
          Effect.zipRight(MuxStream.write(stream, "gone"), Effect.zipRight(Effect.sleep(5), Effect.fail("x")))
        )
      )
      const calling = yield* Effect.fork(call(client))
      yield* Effect.sleep(100)
      yield* Effect.forkScoped(server.serve((stream) => Effect.ignore(echo(stream))))
      assert.strictEqual(yield* Fiber.join(calling), "hello")
    }))

  test("a read after the peer has finished, and after its session has ended, gives what had arrived", ({
    client,
    server
  }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve((stream) => MuxStream.write(stream, "kept")))
      const stream = yield* client.open()
      yield* MuxStream.write(stream, "go")
      yield* Effect.sleep(1000)
      yield* server.close
      assert.strictEqual(text(yield* MuxStream.readAll(stream)), "kept")
    }))

  test("closed and draining that are asked for after the end give its reason", ({ client, link }) =>
    Effect.gen(function* () {
      yield* link.cut
      yield* Effect.sleep(1000)
      assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      assert.strictEqual((yield* client.draining)._tag, "TransportFailed")
    }))

  it.scopedLive("a client that calls before run is served once it runs", () =>
    Effect.gen(function* () {
      const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
      const port = server.address._tag === "TcpAddress" ? server.address.port : 0
      const calling = yield* Effect.fork(Effect.flatMap(dial(port), (client) => call(client)))
      yield* Effect.sleep(50)
      yield* Effect.forkScoped(server.run((session) => session.serve(echo)))
      assert.strictEqual(yield* Fiber.join(calling), "hello")
    })
  )

  it.scopedLive("a session that starts long after its transport reads what came first", () =>
    Effect.gen(function* () {
      const port = yield* listening((session) =>
        session.withStream((stream) => MuxStream.write(stream, new Uint8Array(200_000)))
      )
      const transport = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
      yield* Effect.sleep(50)
      const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
      const stream = yield* client.accept
      assert.strictEqual((yield* MuxStream.readAll(stream)).length, 200_000)
    })
  )
})

describe("what a program logs at the default level", () => {
  it.scopedLive(
    "is nothing in an ordinary life: calls, a cancelled one, a peer that leaves, one that is killed, a probe",
    () =>
      logged((lines) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const port = yield* listening((session) =>
                session.serve((stream) => (stream.id === 5 ? Effect.never : echo(stream)))
              )
              const client = yield* dial(port)
              yield* call(client)
              yield* Effect.exit(Effect.timeout(call(client), 20))
              yield* client.close
              const killed = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
              yield* killed.destroy
              const probe = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
              yield* probe.end
              yield* Effect.sleep(20)
            })
          )
          assert.deepStrictEqual(
            lines.filter(({ level }) => LogLevel.greaterThanEqual(level, LogLevel.Info)),
            []
          )
        })
      )
  )

  it.scopedLive("is one warning that says what a stranger speaks", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const port = yield* listening((session) => session.serve(echo))
        const stranger = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
        yield* stranger.write([new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")])
        yield* Effect.exit(Effect.forever(stranger.read))
        while (lines.length === 0) yield* Effect.sleep(5)
        assert.strictEqual(lines.length, 1)
        assert.match(
          lines[0]?.message ?? "",
          /^A session with 127\.0\.0\.1:\d+ ended .*the first bytes are HTTP, not muxado/
        )
      })
    )
  )

  test("is one warning for a handler's failure, with the stream's id and type", ({ client, server }) =>
    logged((lines) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(() => Effect.fail("no such user")))
        yield* ending(client.withStream(MuxStream.readAll, { type: 7 }).pipe(Effect.timeout(10)))
        yield* ending(
          client.withStream((stream) => Effect.zipRight(MuxStream.write(stream, "x"), MuxStream.readAll(stream)), {
            type: 7
          })
        )
        assert.isAtLeast(lines.length, 1)
        for (const line of lines) {
          assert.strictEqual(line.level._tag, "Warning")
          assert.match(line.message, /^The handler of stream \d+ \(type 7\) failed/)
        }
      })
    ))
})

describe("contexts", () => {
  it.scopedLive("no request sees the AsyncLocalStorage store of another", () =>
    Effect.gen(function* () {
      const storage = new AsyncLocalStorage<string>()
      const seen: Array<readonly [string, string | undefined]> = []
      const see = (who: string) => Effect.sync(() => void seen.push([who, storage.getStore()]))
      const scope = yield* Effect.scope
      const within = <A, E>(name: string, effect: Effect.Effect<A, E>) =>
        Effect.promise(() => storage.run(name, () => Effect.runPromise(effect)))
      const port = yield* within(
        "starter",
        Effect.provideService(
          listening((session) =>
            session.serve((stream) => Effect.zipRight(see("handler"), Effect.zipRight(echo(stream), see("handler"))))
          ),
          Scope.Scope,
          scope
        )
      )
      const client = yield* within("opener", Effect.provideService(dial(port), Scope.Scope, scope))
      const request = (name: string) =>
        within(
          name,
          client.withStream((stream) =>
            Effect.gen(function* () {
              yield* MuxStream.write(stream, "x")
              yield* see(name)
              yield* MuxStream.finish(stream)
              yield* MuxStream.readAll(stream)
              yield* see(name)
            })
          )
        )
      yield* Effect.all([request("A"), request("B"), request("C")], { concurrency: 3 })
      assert.isAtLeast(seen.length, 12)
      for (const [who, store] of seen) assert.include([who, undefined], store)
    })
  )

  test("a handler's spans are in no other's trace, and link to the span that serves", ({ client, server }) =>
    Effect.gen(function* () {
      const traces = new Set<string>()
      const links = new Set<string>()
      const handler = (stream: MuxStream.MuxStream) =>
        Effect.gen(function* () {
          const span = yield* Effect.currentSpan
          traces.add(span.traceId)
          assert.isTrue(Option.isNone(span.parent))
          for (const { span: linked } of span.links) if (linked._tag === "Span") links.add(linked.name)
          yield* echo(stream)
        }).pipe(Effect.withSpan("request"), Effect.orDie)
      yield* Effect.forkScoped(Effect.withSpan(server.serve(handler), "serving"))
      yield* Effect.forEach([1, 2, 3], () => Effect.withSpan(call(client), "calling"), { concurrency: 3 })
      assert.strictEqual(traces.size, 3)
      assert.deepStrictEqual([...links], ["serving"])
    }))
})

describe("the tools for tests", () => {
  it.effect("VirtualTime.run outside of a TestClock says what it needs", () =>
    Effect.gen(function* () {
      const seen = yield* ending(VirtualTime.run(Effect.void))
      assert.match(seen, /needs a TestClock/)
    }).pipe(Effect.withClock(Clock.make()))
  )

  it.effect("Census names a fiber that was left", () =>
    Effect.gen(function* () {
      const census = yield* Census.make()
      const left = yield* census.watch(Effect.forkDaemon(Effect.never))
      assert.strictEqual((yield* census.left).fibers.length, 1)
      yield* Fiber.interrupt(left)
      assert.isTrue(Census.isEmpty(yield* census.left))
    })
  )

  it.effect("a test that interrupts its sessions in the middle of a call ends", () =>
    Effect.gen(function* () {
      const running = yield* Effect.fork(
        Effect.scoped(
          Effect.gen(function* () {
            const { client, server } = yield* SimulatedSessions.make({ link: { latency: "20 millis" } })
            yield* Effect.forkScoped(server.serve(() => Effect.never))
            yield* client.withStream((stream) => Stream.runDrain(MuxStream.toStream(stream)))
          })
        )
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(running)
    }).pipe(quietly)
  )
})
