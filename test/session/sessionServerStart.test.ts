/** The gap between listening and serving, and what a server's handlers get to know. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Socket from "@effect/platform/Socket"
import { SocketServer, SocketServerError } from "@effect/platform/SocketServer"
import { assert, describe, it } from "@effect/vitest"
import type { Session } from "effect-muxado"
import { SessionServer, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { AsyncLocalStorage } from "node:async_hooks"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { certificates } from "../support/certificates.js"
import { leavesNothing } from "../support/census.js"
import * as RawWebSocket from "../support/rawWebSocket.js"
import { echo, eventually, exchange, sessionOver, decoded, encoded } from "../support/session/sessions.js"

type Server = SessionServer.SessionServerService

interface Medium {
  readonly make: Effect.Effect<Server, unknown, Scope.Scope>
  readonly connect: (server: Server) => Effect.Effect<Transport.TransportService, unknown, Scope.Scope>
}

const anyAddress = { host: "127.0.0.1", port: 0 } as const

const at = ({ address }: Server) => {
  assert(address._tag === "TcpAddress")
  return { host: "127.0.0.1", port: address.port }
}

const overSockets = (sockets: Effect.Effect<SocketServer["Type"], unknown, Scope.Scope>) =>
  Effect.flatMap(sockets, (sockets) => Effect.provideService(SessionServer.make(), SocketServer, sockets))

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muxado-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const webSockets: Medium = {
  make: overSockets(NodeSocketServer.makeWebSocket(anyAddress)),
  connect: (server) =>
    Effect.provide(Transport.makeWebSocket(`ws://127.0.0.1:${at(server).port}`), NodeSocket.layerWebSocketConstructor)
}

const tcpSockets: Medium = {
  make: overSockets(NodeSocketServer.make({ ...anyAddress, allowHalfOpen: true })),
  connect: (server) => NodeTransport.makeTcp(at(server))
}

const media: Readonly<Record<string, Medium>> = {
  TCP: { make: NodeSessionServer.makeTcp(anyAddress), connect: (server) => NodeTransport.makeTcp(at(server)) },
  TLS: {
    make: Effect.flatMap(Effect.promise(certificates), ({ server }) =>
      NodeSessionServer.makeTls({ ...server, ...anyAddress })
    ),
    connect: (server) =>
      Effect.flatMap(Effect.promise(certificates), ({ ca }) => NodeTransport.makeTls({ ...at(server), ca }))
  },
  "a unix socket": {
    make: Effect.flatMap(directory, (path) => NodeSessionServer.makeUnix({ path: join(path, "socket") })),
    connect: ({ address }) => {
      assert(address._tag === "UnixAddress")
      return NodeTransport.makeUnix({ path: address.path })
    }
  },
  "the platform's TCP": tcpSockets,
  WebSockets: webSockets
}

const call = (medium: Medium, server: Server, message = "hello") =>
  medium.connect(server).pipe(
    Effect.flatMap((transport) => sessionOver("client", transport)),
    Effect.flatMap((session) => session.withStream((stream) => exchange(stream, encoded(message)))),
    Effect.map(decoded),
    Effect.scoped
  )

const serving = (session: Session.SessionService) => session.serve(echo)

const quietly = <A, E>(test: Effect.Effect<A, E, Scope.Scope>) =>
  test.pipe(Effect.scoped, leavesNothing, Logger.withMinimumLogLevel(LogLevel.None))

/** Connections have come as far as they will. */
const pause = Effect.sleep("100 millis")

for (const [name, medium] of Object.entries(media)) {
  describe(`a server over ${name}`, () => {
    it.live("serves clients that connected before it ran", () =>
      Effect.gen(function* () {
        const server = yield* medium.make
        const early = yield* Effect.fork(
          Effect.all([call(medium, server, "one"), call(medium, server, "two")], { concurrency: "unbounded" })
        )
        yield* pause
        yield* Effect.forkScoped(server.run(serving))
        assert.deepStrictEqual(yield* Fiber.join(early), ["one", "two"])
        assert.strictEqual(yield* call(medium, server, "late"), "late")
      }).pipe(quietly)
    )

    it.live("closes waiting clients when its scope closes", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const server = yield* Scope.extend(medium.make, scope)
        const waiting = yield* Effect.fork(Effect.exit(call(medium, server)))
        yield* pause
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
      }).pipe(quietly)
    )

    it.live("runs once", () =>
      Effect.gen(function* () {
        const server = yield* medium.make
        const running = yield* Effect.fork(server.run(serving))
        assert.strictEqual(yield* call(medium, server), "hello")
        const second = yield* Effect.flip(server.run(serving))
        assert.include(second.message, "a server can run only once")
        yield* Fiber.interrupt(running)
        assert.include((yield* Effect.flip(server.run(serving))).message, "a server can run only once")
      }).pipe(quietly)
    )
  })
}

for (const [name, medium] of Object.entries({ "the platform's TCP": tcpSockets, WebSockets: webSockets })) {
  describe(`SessionServer over ${name}`, () => {
    it.live("run fails if the scope of the server has closed, or closes while it runs", () =>
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const over = yield* Scope.extend(medium.make, first)
        yield* Scope.close(first, Exit.void)
        assert.include((yield* Effect.flip(over.run(serving))).message, "scope of the server has closed")

        const second = yield* Scope.make()
        const server = yield* Scope.extend(medium.make, second)
        const running = yield* Effect.fork(Effect.flip(server.run(serving)))
        assert.strictEqual(yield* call(medium, server), "hello")
        yield* Scope.close(second, Exit.void)
        assert.include((yield* Fiber.join(running)).message, "scope of the server has closed")
      }).pipe(quietly)
    )

    it.live("closes new clients after its run has ended", () =>
      Effect.gen(function* () {
        const server = yield* medium.make
        const running = yield* Effect.fork(server.run(serving))
        assert.strictEqual(yield* call(medium, server), "hello")
        yield* Fiber.interrupt(running)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(call(medium, server))))
      }).pipe(quietly)
    )

    it.live("closes waiting clients if its run is interrupted at its start", () =>
      Effect.gen(function* () {
        const server = yield* medium.make
        const waiting = yield* Effect.fork(Effect.exit(call(medium, server)))
        yield* pause
        const running = yield* Effect.fork(server.run(() => Effect.never))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(running)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
        assert.isTrue(Exit.isFailure(yield* Effect.exit(call(medium, server))))
      }).pipe(quietly)
    )
  })
}

describe("SessionServer", () => {
  it.live(
    "lets 128 clients wait, closes further ones with a debug line each, and removes clients that disconnect",
    () => {
      const lines: Array<string> = []
      return Effect.gen(function* () {
        const server = yield* webSockets.make
        let ended = 0
        const connect = RawWebSocket.connect(at(server).port, { onEnd: () => void ended++ })
        const clients = yield* Effect.all(Array.from({ length: 128 }, () => connect))
        yield* pause
        yield* RawWebSocket.connect(at(server).port, { onEnd: () => void ended++ })
        yield* eventually(
          "one is closed",
          Effect.sync(() => ended > 0)
        )
        assert.deepStrictEqual(lines, [
          "A connection was refused: the server does not run yet, and 128 connections wait for it"
        ])
        clients[0]?.socket.destroy()
        yield* pause
        const late = yield* Effect.fork(call(webSockets, server))
        yield* pause
        yield* Effect.forkScoped(server.run(serving))
        assert.strictEqual(yield* Fiber.join(late), "hello")
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Logger.replace(
            Logger.defaultLogger,
            Logger.make(({ message }) => {
              const line = String(message)
              if (line.includes("refused")) lines.push(line)
            })
          )
        ),
        Logger.withMinimumLogLevel(LogLevel.Debug),
        leavesNothing
      )
    }
  )

  it.live("pauses a waiting client that sends 16 MiB, and reads its bytes when the server runs", () =>
    Effect.gen(function* () {
      const server = yield* webSockets.make
      const client = yield* RawWebSocket.connect(at(server).port)
      // frames of an unknown type, of 64 KiB each
      const frame = Buffer.concat([Buffer.from("00fff8f000000000", "hex"), Buffer.alloc(65_528)])
      for (let i = 0; i < 256; i++) client.socket.write(RawWebSocket.frame(frame))
      yield* pause
      assert.isAtLeast(client.socket.writableLength, 4 * 1024 * 1024)
      yield* Effect.forkScoped(server.run((session) => Effect.zipRight(session.serve(echo), session.closed)))
      yield* eventually(
        "it is read",
        Effect.sync(() => client.socket.writableLength === 0)
      )
    }).pipe(quietly)
  )

  const address = { _tag: "TcpAddress", hostname: "localhost", port: 1 } as const
  const failures: ReadonlyArray<readonly [string, () => Effect.Effect<never, SocketServerError>, string]> = [
    ["fails", () => Effect.fail(new SocketServerError({ reason: "Unknown", cause: new Error("broken") })), "broken"],
    ["dies", () => Effect.die(new Error("broken")), "broken"],
    [
      "throws",
      () => {
        throw new Error("broken")
      },
      "broken"
    ],
    ["interrupts itself", () => Effect.interrupt, "stopped without an error"],
    ["completes", () => Effect.void as Effect.Effect<never>, "stopped without an error"],
    ["gives no effect", () => null as never, "must be an Effect, not null"]
  ]
  it.scoped.each(failures)("fails to run if the run of its SocketServer %s", ([, run, message]) =>
    Effect.gen(function* () {
      const server = yield* Effect.provideService(SessionServer.make(), SocketServer, { address, run })
      assert.include((yield* Effect.flip(server.run(serving))).message, message)
    })
  )

  it.live("handlers see the services of the platform's server for their connection, and no outdated ones", () =>
    Effect.gen(function* () {
      class Mine extends Context.Tag("test/Mine")<Mine, string>() {}
      for (const [medium, tag] of [
        [webSockets, NodeSocketServer.IncomingMessage],
        [tcpSockets, NodeSocket.NetSocket]
      ] as const) {
        const server = yield* Effect.provideService(medium.make, Mine, "of the layer")
        const seen = yield* Deferred.make<readonly [boolean, boolean, string, Option.Option<Scope.Scope>]>()
        const look = Effect.gen(function* () {
          const context = yield* Effect.context<never>()
          return Option.isSome(Context.getOption(context, tag as Context.Tag<unknown, unknown>))
        })
        yield* Effect.forkScoped(
          Effect.provideService(
            server.run((session) =>
              Effect.gen(function* () {
                const inSession = yield* look
                yield* session.serve((stream) =>
                  Effect.gen(function* () {
                    const scope = yield* Effect.serviceOption(Scope.Scope)
                    yield* Deferred.succeed(seen, [inSession, yield* look, yield* Mine, scope] as const)
                    yield* echo(stream)
                  })
                )
              })
            ),
            Mine,
            "of the handler"
          )
        )
        yield* call(medium, server)
        const [session, stream, mine, scope] = yield* Deferred.await(seen)
        assert.deepStrictEqual([session, stream, mine, Option.isSome(scope)], [true, true, "of the handler", true])
      }
    }).pipe(quietly)
  )

  it.live("starts a new trace for each connection, with a link to the span in which the server runs", () =>
    Effect.gen(function* () {
      const server = yield* tcpSockets.make
      const traces: Array<string> = []
      const main = yield* Deferred.make<string>()
      const handler = (session: Session.SessionService) =>
        Effect.gen(function* () {
          const span = yield* Effect.currentSpan
          assert.isTrue(Option.isNone(span.parent))
          assert.deepStrictEqual(
            span.links.map(({ span }) => span.spanId),
            [yield* Deferred.await(main)]
          )
          traces.push(span.traceId)
          yield* session.serve(echo)
        })
      yield* Effect.forkScoped(
        Effect.zipRight(
          Effect.flatMap(Effect.currentSpan, (span) => Deferred.succeed(main, span.spanId)),
          server.run(handler)
        ).pipe(Effect.withSpan("main"))
      )
      yield* call(tcpSockets, server)
      yield* call(tcpSockets, server)
      assert.strictEqual(new Set(traces).size, 2)
    }).pipe(quietly)
  )
})

describe("the log of a server", () => {
  interface Line {
    readonly level: string
    readonly message: string
    readonly cause: string
  }

  /** The lines of a server, while a client does this. */
  const logOf = (
    client: (server: Server) => Effect.Effect<unknown, unknown, Scope.Scope>,
    handler: (session: Session.SessionService) => Effect.Effect<unknown, unknown> = serving
  ) => {
    const lines: Array<Line> = []
    const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
      lines.push({
        level: logLevel._tag,
        message: String(message),
        cause: Cause.isEmpty(cause) ? "" : Cause.pretty(cause)
      })
    })
    return Effect.gen(function* () {
      const server = yield* tcpSockets.make
      yield* Effect.forkScoped(server.run(handler))
      yield* Effect.exit(Effect.scoped(client(server)))
      yield* eventually(
        "the session ends",
        Effect.sync(() => lines.some(({ message }) => message.startsWith("A session with")))
      )
      yield* pause
      return lines
    }).pipe(
      Effect.scoped,
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.Debug)
    )
  }

  const bytes = (hex: string) => (server: Server) =>
    Effect.flatMap(NodeTransport.makeTcp(at(server)), (transport) =>
      Effect.zipRight(transport.write([Buffer.from(hex, "hex")]), Effect.zipRight(pause, transport.end))
    )

  it.live("reports the orderly end of a session in one debug line without a stack", () =>
    Effect.gen(function* () {
      const lines = yield* logOf((server) => call(tcpSockets, server))
      assert.strictEqual(lines.length, 1)
      const [line] = lines
      assert(line !== undefined)
      assert.deepStrictEqual([line.level, line.cause], ["Debug", ""])
      assert.match(
        line.message,
        /^A session with 127\.0\.0\.1:\d+ ended after \d+ ms: The peer is going away .* \(streams: 1 accepted, 0 opened, 0 in flight\)$/
      )
    })
  )

  it.live("warns of a peer that broke the protocol", () =>
    Effect.gen(function* () {
      const lines = yield* logOf(bytes("000000f0000000010000011000000000ff"))
      const line = lines.find(({ message }) => message.startsWith("A session with"))
      assert.deepInclude(line, { level: "Warning", cause: "" })
      assert.include(line?.message, "The peer broke the protocol (ProtocolError (1)): DATA on stream 0 (streams: ")
    })
  )

  it.live("counts the streams that were in flight", () =>
    Effect.gen(function* () {
      const lines = yield* logOf(bytes("000004120000000300000007000004120000000500000007"), (session) =>
        session.serve(() => Effect.never)
      )
      const line = lines.find(({ message }) => message.startsWith("A session with"))
      assert.include(line?.message, "ended without a GOAWAY (streams: 2 accepted, 0 opened, 2 in flight)")
      assert.strictEqual(line?.level, "Debug")
    })
  )

  it.live.each([
    ["a failure of the handler's own as a warning", Effect.fail(new Error("mine")), "Warning", "mine"],
    ["a defect as an error", Effect.die(new Error("bug")), "Error", "bug"]
  ] as const)("tells %s, with its cause", ([, effect, level, message]) =>
    Effect.gen(function* () {
      const lines = yield* logOf(
        (server) => call(tcpSockets, server),
        () => effect
      )
      const line = lines.find(({ message }) => message.startsWith("The handler"))
      assert(line !== undefined)
      assert.strictEqual(line.level, level)
      assert.include(line.cause, message)
    })
  )

  it.live("reports a failure with an error of this library at debug level", () =>
    Effect.gen(function* () {
      const lines = yield* logOf(
        (server) => Effect.zipRight(call(tcpSockets, server), pause),
        (session) => Effect.forever(Effect.scoped(session.accept))
      )
      const line = lines.find(({ message }) => message.startsWith("The handler"))
      assert.strictEqual(line?.level, "Debug")
    })
  )
})

describe("a WebSocket client", () => {
  it.live("lives outside of the AsyncLocalStorage context of the request that connects it", () =>
    Effect.gen(function* () {
      const storage = new AsyncLocalStorage<string>()
      const server = yield* webSockets.make
      yield* Effect.forkScoped(server.run(serving))
      const stores: Array<string | undefined> = []
      const construct = yield* Effect.provide(Socket.WebSocketConstructor, NodeSocket.layerWebSocketConstructor)
      const connecting = Transport.makeWebSocket(`ws://127.0.0.1:${at(server).port}`).pipe(
        Effect.provideService(Socket.WebSocketConstructor, (url, protocols) => {
          stores.push(storage.getStore())
          const webSocket = construct(url, protocols)
          webSocket.addEventListener("message", () => stores.push(storage.getStore()))
          return webSocket
        })
      )
      const runtime = yield* Effect.runtime<Scope.Scope>()
      const transport = yield* Effect.promise(() =>
        storage.run("request", () => Runtime.runPromise(runtime)(connecting))
      )
      const session = yield* sessionOver("client", transport)
      assert.strictEqual(decoded(yield* session.withStream((stream) => exchange(stream, encoded("hello")))), "hello")
      assert.isAtLeast(stores.length, 2)
      assert.deepStrictEqual(new Set(stores), new Set([undefined]))
    }).pipe(quietly)
  )
})
