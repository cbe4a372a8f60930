/** Mistakes of a program that were answered by the runtime, or by silence, until they were tried from the outside. */
import { assert, describe, it } from "@effect/vitest"
import { NodeSocket } from "@effect/platform-node"
import * as Socket from "@effect/platform/Socket"
import { FrameReader, FrameWriter, MuxadoError, MuxStream, Session, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { Census, SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import * as Net from "node:net"
import { call, echo, ending, quick, quietly, test, wrong } from "./support.js"

const peerReads = (server: Session.SessionService) =>
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

describe("a stream that was cut looks like one that ended", () => {
  const uploads: Record<string, (stream: MuxStream.MuxStream) => Effect.Effect<void, unknown>> = {
    writable: (stream) => Stream.run(endless, MuxStream.toSink(stream)),
    toChannel: (stream) => Stream.runDrain(Stream.pipeThroughChannelOrFail(endless, MuxStream.toChannel(stream))),
    "toSocket's writer": (stream) =>
      Effect.scoped(Effect.flatMap(MuxStream.toSocket(stream).writer, (write) => Stream.runForEach(endless, write)))
  }
  for (const [conversion, upload] of Object.entries(uploads)) {
    test(`${conversion} that still runs in a forked fiber when the handler succeeds is reset: the peer sees a cut`, ({
      client,
      server
    }) =>
      Effect.gen(function* () {
        const peer = yield* peerReads(server)
        yield* client.withStream((stream) => Effect.zipRight(Effect.fork(upload(stream)), Effect.sleep(10)))
        assert.strictEqual(yield* peer, "cut")
      }))
  }
})

describe("two sessions over one medium", () => {
  const listening = Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
    yield* Effect.forkScoped(quietly(server.run((session) => session.serve(echo))))
    return server.address._tag === "TcpAddress" ? server.address.port : 0
  })

  const second = (transport: Effect.Effect<Transport.TransportService, MuxadoError.TransportFailed, never>) =>
    Effect.gen(function* () {
      const start = Effect.flatMap(transport, (transport) =>
        Session.fromTransport(transport, { ...quick, role: "client" })
      )
      const first = yield* start
      const exit = yield* Effect.exit(start)
      if (Exit.isSuccess(exit)) yield* ending(Effect.timeout(call(exit.value), 200))
      // The second is refused, or fails; the first goes on.
      assert.strictEqual(yield* Effect.timeout(call(first), 500), "hello")
    }).pipe(quietly)

  it.scopedLive("a second transport over a Duplex is refused", () =>
    Effect.gen(function* () {
      const port = yield* listening
      const duplex = yield* Effect.acquireRelease(
        Effect.sync(() => Net.connect(port, "127.0.0.1")),
        (duplex) => Effect.sync(() => void duplex.destroy())
      )
      const scope = yield* Effect.scope
      yield* second(Effect.provideService(NodeTransport.fromDuplex(duplex), Scope.Scope, scope))
    })
  )

  it.scopedLive("a second transport over a Socket is refused", () =>
    Effect.gen(function* () {
      const port = yield* listening
      const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port })
      const scope = yield* Effect.scope
      yield* second(Effect.provideService(Transport.fromSocket(socket), Scope.Scope, scope))
    })
  )
})

describe("a value from outside that is wrong", () => {
  test("a write of bytes whose memory was detached before fails with InvalidOptions", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      const bytes = new Uint8Array(10)
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
      const stream = yield* client.open()
      assert.match(yield* ending(MuxStream.write(stream, bytes)), /^fails InvalidOptions: .*detached/)
    }))

  for (const value of [Symbol("s"), Object.create(null) as unknown]) {
    test(`open with a type that has no text (${typeof value}) fails with InvalidOptions`, ({ client }) =>
      Effect.gen(function* () {
        assert.match(yield* ending(client.open(wrong({ type: value }))), /^fails InvalidOptions: /)
      }))
  }

  it.effect("a port that is a symbol fails with TransportFailed", () =>
    Effect.gen(function* () {
      const end = yield* ending(Effect.scoped(NodeTransport.makeTcp(wrong({ port: Symbol("s") }))))
      assert.match(end, /^fails TransportFailed: /)
    })
  )

  it.effect("a transport that is none fails with InvalidOptions", () =>
    Effect.gen(function* () {
      for (const value of [undefined, 3, {}]) {
        const end = yield* ending(Effect.scoped(Session.fromTransport(wrong(value), { ...quick, role: "client" })))
        assert.match(end, /^fails InvalidOptions: .*transport/)
      }
    })
  )

  test("a limit or a type given plainly, not in an object, fails with InvalidOptions", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(echo))
      const read = client.withStream((stream) =>
        Effect.gen(function* () {
          yield* MuxStream.write(stream, "more than 3")
          yield* MuxStream.finish(stream)
          return yield* MuxStream.readAll(stream, wrong(3))
        })
      )
      assert.match(yield* ending(read), /^fails (InvalidOptions|ReadLimitExceeded): /)
      assert.match(yield* ending(client.open(wrong(7))), /^fails InvalidOptions: /)
    }))

  test("goAway(null) and a text alone are defects that say what they take; closeWith() takes nothing, too", ({
    client
  }) =>
    Effect.gen(function* () {
      assert.match(yield* ending(client.goAway(wrong(null))), /^dies InvalidOptions: /)
      assert.match(yield* ending(client.closeWith(wrong(undefined))), /^(ok|dies InvalidOptions: )/)
      assert.match(yield* ending(client.goAway(wrong("maintenance"))), /^dies InvalidOptions: /)
    }))

  test("a drain for 'soon' is a defect that names drain and the value", ({ client }) =>
    Effect.gen(function* () {
      assert.match(yield* ending(client.drain(wrong("soon"))), /^dies InvalidOptions: .*drain.*soon/)
    }))

  it.effect("isMuxadoError and retry know an object whose traps throw for none of ours", () =>
    Effect.sync(() => {
      const hostile = new Proxy(
        {},
        {
          get: () => {
            throw new Error("get")
          },
          has: () => {
            throw new Error("has")
          }
        }
      )
      assert.isFalse(MuxadoError.isMuxadoError(hostile))
      assert.strictEqual(MuxadoError.retry(hostile), "Never")
    })
  )

  it.scopedLive("a transport that reads empty chunks without end keeps no core busy", () =>
    Effect.gen(function* () {
      let reads = 0
      const transport: Transport.TransportService = {
        read: Effect.sync(() => {
          reads++
          return new Uint8Array()
        }),
        write: () => Effect.void,
        end: Effect.void,
        destroy: Effect.void
      }
      yield* Session.fromTransport(transport, { ...quick, role: "client" })
      yield* Effect.sleep(50)
      assert.isBelow(reads, 100)
    })
  )
})

describe("errors and lines that mislead", () => {
  test("ping after the peer's GOAWAY fails with RemoteGoneAway", ({ client, server }) =>
    Effect.gen(function* () {
      yield* server.goAway({ code: 99, debug: "later" })
      yield* Effect.sleep(10)
      const pinging = yield* Effect.exit(client.ping)
      if (Exit.isSuccess(pinging)) return
      assert.strictEqual((yield* Effect.flip(client.ping))._tag, "RemoteGoneAway")
    }))

  it.scopedLive("a Socket whose write throws is said to have failed while writing", () =>
    Effect.gen(function* () {
      const socket = wrong<Socket.Socket>({
        [Socket.TypeId]: Socket.TypeId,
        runRaw: (_: unknown, options?: { readonly onOpen?: Effect.Effect<void> }) =>
          Effect.zipRight(options?.onOpen ?? Effect.void, Effect.never),
        writer: Effect.succeed(() => {
          throw new Error("boom")
        })
      })
      const transport = yield* Transport.fromSocket(socket)
      const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
      yield* ending(call(client))
      const error = yield* client.closed
      assert.strictEqual(error._tag === "TransportFailed" ? error.reason : undefined, "Write")
    })
  )

  test("a GOAWAY's text can turn the direction of a line that shows it", ({ client, server }) =>
    Effect.gen(function* () {
      yield* server.closeWith({ code: 99, debug: "a\u202eb\u2066c\u200bd" })
      assert.notMatch((yield* client.closed).message, /[\u200b\u202e\u2066]/)
    }))
})

describe("texts of the runtime's where a person needs ours", () => {
  it.effect("fromDuplex and fromSocket of something else say what they take", () =>
    Effect.gen(function* () {
      assert.match(yield* ending(Effect.scoped(NodeTransport.fromDuplex(wrong(undefined)))), /Duplex/)
      assert.match(yield* ending(Effect.scoped(Transport.fromSocket(wrong(undefined)))), /Socket/)
    })
  )

  it.effect("a reader of frames that gives something else is named", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* Session.make({ ...quick, role: "client" }).pipe(
        Effect.provideService(Transport.Transport, link.client),
        Effect.provideService(FrameReader.FrameReader, wrong({ take: Effect.succeed("nothing of the kind") })),
        Effect.provideService(FrameWriter.FrameWriter, FrameWriter.make(link.client))
      )
      assert.match((yield* client.closed).message, /a FrameReader must give/)
    }).pipe(Effect.scoped)
  )
})

describe("the tools for tests", () => {
  it.effect("leavesNothing works within VirtualTime.run", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* ending(VirtualTime.run(Census.leavesNothing(Effect.sleep("30 seconds")))), "ok")
    })
  )
})

describe("a peer that dies after it said that it leaves", () => {
  const long = { both: { ...quick, heartbeat: { interval: "10 seconds", tolerance: "15 seconds" } } } as const

  test(
    "a peer that refuses heartbeats while it drains is not taken for one that knows none",
    ({ client, link, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(server.serve(() => Effect.never))
        const calling = yield* Effect.fork(Effect.flip(call(client)))
        yield* Effect.sleep(10)
        yield* Effect.forkScoped(server.drain("1 hour"))
        yield* Effect.sleep("1 minute")
        yield* link.blackHole
        const error = yield* Fiber.join(calling)
        assert.strictEqual(error._tag, "SessionDead")
        assert.notInclude(error.message, "is its session typed")
      }),
    long
  )
})
