import * as Socket from "@effect/platform/Socket"
import * as SocketServer from "@effect/platform/SocketServer"
import { assert, describe, it } from "@effect/vitest"
import { FrameReader, FrameWriter, MuxadoError, MuxStream, Session, SessionServer, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedSessions, SimulatedTransport } from "effect-muxado/testing"
import { Context, Effect, Exit, Layer, Logger, LogLevel, Scope } from "effect"
import { Duplex } from "node:stream"
import { call, echo, ending, logged, quick, quietly, test, wrong } from "./support.js"

const boom = new Error("boom")

const failing: Record<string, () => unknown> = {
  throws: () => {
    throw boom
  },
  dies: () => Effect.die(boom),
  fails: () => Effect.fail(boom),
  "fails with a string": () => Effect.fail("boom"),
  "fails with its own error": () =>
    Effect.fail(
      new MuxadoError.TransportFailed({ reason: "Write", cause: boom, initiator: "Local", processed: "maybe" })
    ),
  "interrupts itself": () => Effect.interrupt,
  "gives no effect": () => undefined
}

const timers = { ...quick, heartbeat: false as const }

describe("a user's own transport", () => {
  for (const [way, fault] of Object.entries(failing)) {
    for (const at of [1, 2]) {
      test(`whose write ${way}, the ${at}. time, ends its session with TransportFailed`, () =>
        Effect.gen(function* () {
          const link = yield* SimulatedTransport.makePair()
          let writes = 0
          const transport: Transport.TransportService = {
            ...link.client,
            write: (chunks) => (++writes >= at ? wrong(fault()) : link.client.write(chunks))
          }
          const client = yield* Session.fromTransport(transport, { ...timers, role: "client" })
          const server = yield* Session.fromTransport(link.server, { ...timers, role: "server" })
          yield* Effect.forkScoped(server.serve(echo))
          if (at === 2) assert.strictEqual(yield* call(client), "hello")
          assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
          assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
          assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
          assert.strictEqual((yield* server.closed)._tag, "TransportFailed")
        }))
    }

    test(`whose read ${way} ends its session with TransportFailed`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        let reads = 0
        const read = wrong<Transport.TransportService["read"]>(
          Effect.suspend(() => (++reads >= 3 ? wrong<Transport.TransportService["read"]>(fault()) : link.client.read))
        )
        const client = yield* Session.fromTransport({ ...link.client, read }, { ...timers, role: "client" })
        const server = yield* Session.fromTransport(link.server, { ...timers, role: "server" })
        yield* Effect.forkScoped(server.serve(echo))
        yield* Effect.forEach([1, 2, 3], () => ending(call(client)))
        assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      }))

    for (const part of ["end", "destroy"] as const) {
      test(`whose ${part} ${way} lets its session close`, () =>
        Effect.gen(function* () {
          const link = yield* SimulatedTransport.makePair()
          const transport = { ...link.client, [part]: Effect.suspend(() => wrong<Effect.Effect<void>>(fault())) }
          const server = yield* Session.fromTransport(link.server, { ...timers, role: "server" })
          yield* Effect.forkScoped(server.serve(echo))
          const scope = yield* Scope.make()
          const client = yield* Scope.extend(Session.fromTransport(transport, { ...timers, role: "client" }), scope)
          assert.strictEqual(yield* call(client), "hello")
          assert.strictEqual(yield* ending(Scope.close(scope, Exit.void)), "ok")
          assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
        }))
    }
  }

  test("whose operations never complete is closed within its limits", () =>
    Effect.gen(function* () {
      const never: Transport.TransportService = {
        read: Effect.never,
        write: () => Effect.never,
        end: Effect.never,
        destroy: Effect.never
      }
      const scope = yield* Scope.make()
      const client = yield* Scope.extend(Session.fromTransport(never, { ...timers, role: "client" }), scope)
      yield* Scope.extend(client.open(), scope)
      assert.strictEqual(yield* ending(Scope.close(scope, Exit.void)), "ok")
      assert.strictEqual((yield* client.closed)._tag, "SessionClosed")
    }))

  for (const [name, value] of Object.entries({
    text: "text",
    "a number": 7,
    nothing: undefined,
    "an ArrayBuffer": new ArrayBuffer(8),
    "a Uint16Array": Uint16Array.of(1)
  })) {
    test(`that reads ${name} instead of a Uint8Array ends its session and names it`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const transport = { ...link.client, read: wrong<Transport.TransportService["read"]>(Effect.succeed(value)) }
        const client = yield* Session.fromTransport(transport, { ...timers, role: "client" })
        const error = yield* client.closed
        assert.strictEqual(error._tag, "TransportFailed")
        assert.include(error.message, "a chunk must be a Uint8Array, not ")
      }))
  }
})

describe("a user's own reader or writer of frames", () => {
  const start = (
    reader: (mine: FrameReader.FrameReaderService) => unknown,
    writer: (mine: FrameWriter.FrameWriterService) => unknown
  ) =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const server = yield* Session.fromTransport(link.server, { ...timers, role: "server" })
      yield* Effect.forkScoped(server.serve(echo))
      const mine = { reader: FrameReader.make(link.client), writer: FrameWriter.make(link.client) }
      return yield* Session.make({ ...timers, role: "client" }).pipe(
        Effect.provideService(Transport.Transport, link.client),
        Effect.provideService(FrameReader.FrameReader, wrong(reader(mine.reader))),
        Effect.provideService(FrameWriter.FrameWriter, wrong(writer(mine.writer)))
      )
    })

  const ways: Record<string, () => unknown> = {
    ...failing,
    "gives something else": () => Effect.succeed("nothing of the kind")
  }

  for (const [way, fault] of Object.entries(ways)) {
    test(`whose take ${way} ends the session with TransportFailed`, () =>
      Effect.gen(function* () {
        let takes = 0
        const client = yield* start(
          (mine) => ({
            take: Effect.suspend(() =>
              ++takes >= 2 ? wrong<FrameReader.FrameReaderService["take"]>(fault()) : mine.take
            )
          }),
          (mine) => mine
        )
        yield* Effect.forEach([1, 2], () => ending(call(client)))
        assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      }))
  }

  for (const [way, fault] of Object.entries(failing)) {
    test(`whose write ${way} ends the session with TransportFailed`, () =>
      Effect.gen(function* () {
        let writes = 0
        const client = yield* start(
          (mine) => mine,
          (mine) => ({
            write: (...args: Parameters<typeof mine.write>) => (++writes >= 2 ? fault() : mine.write(...args))
          })
        )
        assert.strictEqual(yield* call(client), "hello")
        assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      }))
  }
})

describe("a logger that throws", () => {
  const throwing = Logger.replace(
    Logger.defaultLogger,
    Logger.make(() => {
      throw boom
    })
  )

  it.scopedLive("harms no session whose frames it logs", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedSessions.make({
        both: { ...quick, frameLog: { level: LogLevel.Error } }
      })
      yield* Effect.forkScoped(server.serve(echo))
      assert.strictEqual(yield* call(client), "hello")
    }).pipe(Effect.provide(throwing))
  )

  it.scopedLive("harms no session whose handlers fail and die", () =>
    Effect.gen(function* () {
      const { client, server } = yield* SimulatedSessions.make({ both: quick })
      yield* Effect.forkScoped(server.serve((stream) => (stream.id === 3 ? Effect.fail("x") : Effect.die("y"))))
      assert.match(yield* ending(call(client)), /StreamCancelled/)
      assert.match(yield* ending(call(client)), /InternalError/)
      yield* client.ping
    }).pipe(Effect.provide(throwing))
  )
})

describe("a handler of serve", () => {
  const ways: Record<string, readonly [() => Effect.Effect<void, unknown>, RegExp]> = {
    throws: [
      () => {
        throw boom
      },
      /InternalError \(2\)/
    ],
    dies: [() => Effect.die(boom), /InternalError \(2\)/],
    fails: [() => Effect.fail(boom), /StreamCancelled \(6\)/],
    "fails with undefined": [() => Effect.fail(undefined), /StreamCancelled \(6\)/],
    "interrupts itself": [() => Effect.interrupt, /StreamCancelled \(6\)/]
  }
  for (const [way, [handler, code]] of Object.entries(ways)) {
    test(`that ${way} resets its stream; the others, and later ones, are served`, ({ client, server }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(
          server.serve((stream) => (stream.id === 5 ? handler() : echo(stream)), { concurrency: 1 })
        )
        const ends = yield* Effect.forEach([1, 2, 3], () => ending(call(client)), { concurrency: 3 })
        assert.strictEqual(ends[0], "ok")
        assert.match(ends[1] ?? "", code)
        assert.strictEqual(ends[2], "ok")
        assert.strictEqual(yield* call(client), "hello")
      }).pipe(quietly))
  }

  const codes: Record<string, () => unknown> = {
    throws: () => {
      throw boom
    },
    "gives a string": () => "77",
    "gives -1": () => -1,
    "gives 2^32": () => 2 ** 32,
    "gives NaN": () => NaN,
    "gives nothing": () => undefined,
    "gives an effect": () => Effect.succeed(7)
  }
  for (const [way, resetCode] of Object.entries(codes)) {
    test(`whose resetCode ${way} resets its stream with InternalError, and serve goes on`, ({ client, server }) =>
      logged((lines) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(server.serve(() => Effect.fail("x"), { resetCode: wrong(resetCode) }))
          for (let i = 0; i < 2; i++)
            assert.match(yield* ending(call(client)), /^fails StreamReset: .*InternalError \(2\)/)
          assert.deepStrictEqual(
            lines.map(({ level }) => level._tag),
            ["Error", "Error"]
          )
        })
      ))
  }

  test("whose resetCode gives a code of the application's has the peer see it", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.fail("x"), { resetCode: () => 4_000_000_000 }))
      const error = yield* Effect.flip(call(client))
      assert.strictEqual(error._tag === "StreamReset" ? error.code : undefined, 4_000_000_000)
    }).pipe(quietly))
})

describe("a handler of a server", () => {
  for (const [way, handler] of Object.entries({ ...failing, "is over at once": () => Effect.void })) {
    it.scopedLive(`that ${way} ends its own session in order; the server runs on`, () =>
      Effect.gen(function* () {
        const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
        const running = yield* Effect.forkScoped(server.run(wrong<() => Effect.Effect<void>>(handler)))
        const port = server.address._tag === "TcpAddress" ? server.address.port : 0
        for (let i = 0; i < 2; i++) {
          const context = yield* Layer.build(
            Session.layerClient(quick).pipe(Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port })))
          )
          assert.strictEqual((yield* Context.get(context, Session.Session).closed)._tag, "RemoteGoneAway")
        }
        assert.isNull(running.unsafePoll())
      }).pipe(quietly)
    )
  }
})

describe("a Socket given to fromSocket", () => {
  const opening = (writer: unknown, deliver: unknown = undefined) =>
    wrong<Socket.Socket>({
      [Socket.TypeId]: Socket.TypeId,
      runRaw: (handler: (data: unknown) => void, options?: { readonly onOpen?: Effect.Effect<void> }) =>
        Effect.zipRight(
          options?.onOpen ?? Effect.void,
          Effect.zipRight(
            Effect.sync(() => {
              if (deliver !== undefined) handler(deliver)
            }),
            Effect.never
          )
        ),
      writer: Effect.succeed(writer)
    })

  for (const [way, fault] of Object.entries({
    ...failing,
    "is over at once": () => Effect.void,
    "never opens": () => Effect.never
  })) {
    it.scopedLive(`whose runRaw ${way} fails with Open`, () =>
      Effect.gen(function* () {
        const socket = wrong<Socket.Socket>({ ...opening(() => Effect.void), runRaw: fault })
        const error = yield* Effect.flip(Transport.fromSocket(socket, { openTimeout: 50 }))
        assert.strictEqual(error._tag === "TransportFailed" ? error.reason : undefined, "Open")
      })
    )
  }

  for (const [way, fault] of Object.entries(failing)) {
    it.scopedLive(`whose writer ${way} ends the session over it with TransportFailed`, () =>
      Effect.gen(function* () {
        const transport = yield* Transport.fromSocket(opening(fault))
        const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
        assert.match(yield* ending(call(client)), /^fails TransportFailed: /)
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      })
    )
  }

  for (const [name, message] of Object.entries({
    text: "text",
    "a number": 7,
    "an object": { length: 4 },
    null: null
  })) {
    it.scopedLive(`that gives ${name} instead of bytes ends the session over it`, () =>
      Effect.gen(function* () {
        const transport = yield* Transport.fromSocket(opening(() => Effect.void, message))
        const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
        assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      })
    )
  }
})

describe("a SocketServer given to SessionServer", () => {
  for (const [way, fault] of Object.entries({ ...failing, "is over at once": () => Effect.void })) {
    it.scopedLive(`whose run ${way} fails the run of the server with SocketServerError`, () =>
      Effect.gen(function* () {
        const platform = wrong<SocketServer.SocketServer["Type"]>({
          address: { _tag: "TcpAddress", hostname: "127.0.0.1", port: 1 },
          run: fault
        })
        const server = yield* SessionServer.make(quick).pipe(Effect.provideService(SocketServer.SocketServer, platform))
        assert.match(yield* ending(server.run(() => Effect.void)), /^fails SocketServerError: /)
      })
    )
  }
})

describe("a Duplex given to fromDuplex", () => {
  const throwing = () => {
    throw boom
  }

  it.scopedLive("whose write, final and destroy throw fails every operation, and never throws", () =>
    Effect.gen(function* () {
      const duplex = new Duplex({ read: () => undefined, write: throwing, final: throwing, destroy: throwing })
      const transport = yield* NodeTransport.fromDuplex(duplex)
      assert.match(yield* ending(transport.write([new Uint8Array(2)])), /^fails TransportFailed: .*boom/)
      assert.match(yield* ending(transport.write([new Uint8Array(2)])), /^fails TransportFailed: .*boom/)
      assert.match(yield* ending(transport.read), /^fails TransportFailed: .*boom/)
      assert.strictEqual(yield* ending(transport.end), "ok")
      assert.strictEqual(yield* ending(transport.destroy), "ok")
    })
  )

  it.scopedLive("whose read throws fails its reads and writes", () =>
    Effect.gen(function* () {
      const duplex = new Duplex({ read: throwing, write: (_chunk, _encoding, done) => done() })
      const transport = yield* NodeTransport.fromDuplex(duplex)
      assert.match(yield* ending(transport.read), /^fails TransportFailed: .*boom/)
      assert.match(yield* ending(transport.write([new Uint8Array(2)])), /^fails TransportFailed: /)
    })
  )

  it.scopedLive("that is destroyed already fails at once", () =>
    Effect.gen(function* () {
      const duplex = new Duplex({ read: () => undefined }).destroy()
      const transport = yield* NodeTransport.fromDuplex(duplex)
      assert.match(yield* ending(transport.read), /^fails TransportFailed: /)
      assert.match(yield* ending(transport.write([new Uint8Array(2)])), /^fails TransportFailed: /)
    })
  )

  for (const [name, setUp] of Object.entries({
    strings: (duplex: Duplex) => duplex.setEncoding("utf8").push("héllo"),
    objects: (duplex: Duplex) => duplex.push({ a: 1 })
  })) {
    it.scopedLive(`that gives ${name} fails its read and says so`, () =>
      Effect.gen(function* () {
        const duplex = new Duplex({ objectMode: name === "objects", read: () => undefined })
        const transport = yield* NodeTransport.fromDuplex(duplex)
        setUp(duplex)
        assert.match(yield* ending(transport.read), /^fails TransportFailed: .*no strings \(setEncoding\), no objects/)
      })
    )
  }
})

describe("a use of withStream", () => {
  test("that throws, dies, fails or interrupts itself ends its stream as cut", ({ client, server }) =>
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
    }))
})
