import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as SocketServer from "@effect/platform/SocketServer"
import { assert, describe, it } from "@effect/vitest"
import type { ServerOptions, Session } from "effect-muxado"
import { MuxStream, SessionServer, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { noise } from "../support/bytes.js"
import { leavesNothing } from "../support/census.js"
import { failing } from "../support/failing.js"
import { ending, quick } from "../support/session/sessionTest.js"
import { decoded, digest, echo, encoded, eventually, exchange, sessionOver } from "../support/session/sessions.js"
import { wrong } from "../support/wrong.js"

type Server = SessionServer.SessionServerService

/** A server, and how to reach it. */
interface Medium {
  readonly make: (options?: ServerOptions) => Effect.Effect<Server, unknown, Scope.Scope>
  readonly connect: (server: Server) => Effect.Effect<Transport.TransportService, unknown, Scope.Scope>
}

const at = (server: Server) => {
  assert(server.address._tag === "TcpAddress")
  return { host: "127.0.0.1", port: server.address.port }
}

const anyAddress = { host: "127.0.0.1", port: 0 } as const

const fromLayer = <E>(layer: Layer.Layer<SessionServer.SessionServer, E>) =>
  Effect.map(Layer.build(layer), Context.get(SessionServer.SessionServer))

const media: Readonly<Record<string, Medium>> = {
  NodeSessionServer: {
    make: (options) => fromLayer(NodeSessionServer.layerTcp(anyAddress, options)),
    connect: (server) => NodeTransport.makeTcp(at(server))
  },
  "any SocketServer": {
    make: (options) =>
      fromLayer(
        Layer.provide(SessionServer.layer(options), NodeSocketServer.layer({ ...anyAddress, allowHalfOpen: true }))
      ),
    connect: (server) => NodeTransport.makeTcp(at(server))
  },
  "a SocketServer of WebSockets": {
    make: (options) =>
      fromLayer(Layer.provide(SessionServer.layer(options), NodeSocketServer.layerWebSocket(anyAddress))),
    connect: (server) =>
      Effect.provide(Transport.makeWebSocket(`ws://127.0.0.1:${at(server).port}`), NodeSocket.layerWebSocketConstructor)
  }
}

for (const [name, medium] of Object.entries(media)) {
  const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(title, () => body.pipe(Effect.scoped, leavesNothing, Logger.withMinimumLogLevel(LogLevel.None)))

  const connect = (server: Server) =>
    Effect.flatMap(medium.connect(server), (transport) => sessionOver("client", transport))

  describe(`SessionServer over ${name}`, () => {
    test(
      "makes a session for each connection",
      Effect.gen(function* () {
        const server = yield* medium.make()
        yield* Effect.forkScoped(server.run((session) => session.serve(echo)))
        const clients = yield* Effect.all([connect(server), connect(server), connect(server)])
        const answers = yield* Effect.forEach(
          clients,
          (client, n) => client.withStream((stream) => exchange(stream, encoded(`client ${n}`))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(answers.map(decoded), ["client 0", "client 1", "client 2"])
      })
    )

    test(
      "closes connections beyond its limit, and accepts new ones when others have ended",
      Effect.gen(function* () {
        const server = yield* medium.make({ maxConnections: 2 })
        yield* Effect.forkScoped(server.run((session) => session.serve(echo)))
        const use = (client: Session.SessionService) =>
          Effect.map(
            client.withStream((stream) => exchange(stream, encoded("hello"))),
            decoded
          )
        const first = yield* connect(server)
        const second = yield* connect(server)
        assert.deepStrictEqual([yield* use(first), yield* use(second)], ["hello", "hello"])
        // over a WebSocket it may be refused before it is open
        const third = yield* Effect.either(Effect.flatMap(connect(server), use))
        assert.isTrue(Either.isLeft(third))
        assert.deepStrictEqual([yield* use(first), yield* use(second)], ["hello", "hello"])
        yield* second.close
        yield* eventually(
          "room",
          Effect.map(Effect.either(Effect.scoped(Effect.flatMap(connect(server), use))), Either.isRight)
        )
      })
    )

    test(
      "interrupting run drains: open streams complete, and new ones are refused",
      Effect.gen(function* () {
        const server = yield* medium.make({ drainTimeout: "10 seconds" })
        const began = yield* Deferred.make<void>()
        const running = yield* Effect.fork(
          server.run((session) =>
            session.serve((stream) =>
              Effect.gen(function* () {
                yield* Deferred.succeed(began, undefined)
                yield* session.draining
                yield* echo(stream)
              })
            )
          )
        )
        const client = yield* connect(server)
        const bytes = noise(500_000, 2)
        const answer = yield* Effect.fork(client.withStream((stream) => exchange(stream, bytes)))
        yield* Deferred.await(began)
        yield* Fiber.interrupt(running)
        assert.strictEqual(digest(yield* Fiber.join(answer)), digest(bytes))
        const end = yield* client.closed
        assert.deepStrictEqual([end._tag, end.initiator], ["RemoteGoneAway", "Remote"])
      })
    )

    test(
      "a handler that dies or fails harms no other session",
      Effect.gen(function* () {
        const server = yield* medium.make()
        let connections = 0
        yield* Effect.forkScoped(
          server.run((session) => {
            switch (connections++) {
              case 0:
                return session.serve(echo)
              case 1:
                return Effect.die(new Error("broken"))
              default:
                return Effect.fail("no")
            }
          })
        )
        const good = yield* connect(server)
        yield* good.ping
        const broken = yield* connect(server)
        assert.strictEqual((yield* broken.closed)._tag, "RemoteGoneAway")
        const failing = yield* connect(server)
        assert.strictEqual((yield* failing.closed)._tag, "RemoteGoneAway")
        assert.strictEqual(decoded(yield* good.withStream((stream) => exchange(stream, encoded("alive")))), "alive")
      })
    )

    test(
      "a handler that never ends is interrupted drainTimeout after the end of its session",
      Effect.gen(function* () {
        const server = yield* medium.make({ drainTimeout: "50 millis" })
        const interrupted = yield* Deferred.make<void>()
        const arrived = yield* Deferred.make<Session.SessionService>()
        yield* Effect.forkScoped(
          server.run((session) =>
            Effect.zipRight(Deferred.succeed(arrived, session), Effect.never).pipe(
              Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
            )
          )
        )
        const client = yield* connect(server)
        const session = yield* Deferred.await(arrived)
        yield* client.close
        assert.strictEqual((yield* session.closed)._tag, "RemoteGoneAway")
        yield* Deferred.await(interrupted)
      })
    )

    test(
      "a handler that ends has its session drained",
      Effect.gen(function* () {
        const server = yield* medium.make()
        yield* Effect.forkScoped(
          server.run((session) =>
            session.withStream((stream) =>
              Effect.zipRight(MuxStream.write(stream, encoded("goodbye")), MuxStream.finish(stream))
            )
          )
        )
        const client = yield* connect(server)
        const stream = yield* client.accept
        assert.strictEqual(decoded(yield* MuxStream.readAll(stream)), "goodbye")
        assert.strictEqual((yield* client.closed)._tag, "RemoteGoneAway")
      })
    )

    test(
      "a client that disconnects ends its handler, and leaves no session",
      Effect.gen(function* () {
        const server = yield* medium.make()
        let ended = 0
        yield* Effect.forkScoped(
          server.run((session) =>
            Effect.ensuring(
              session.serve(() => Effect.never),
              Effect.sync(() => ended++)
            )
          )
        )
        const transport = yield* medium.connect(server)
        const client = yield* sessionOver("client", transport)
        yield* client.open()
        yield* client.ping
        yield* transport.destroy
        yield* eventually(
          "the handler ends",
          Effect.sync(() => ended === 1)
        )
      })
    )
  })
}

describe("a SocketServer given to SessionServer", () => {
  for (const [way, fault] of Object.entries({ ...failing, "is over at once": () => Effect.void })) {
    it.scopedLive(`whose run ${way} fails the run of the server with ServerFailed`, () =>
      Effect.gen(function* () {
        const platform = wrong<SocketServer.SocketServer["Type"]>({
          address: { _tag: "TcpAddress", hostname: "127.0.0.1", port: 1 },
          run: fault
        })
        const server = yield* SessionServer.make(quick).pipe(Effect.provideService(SocketServer.SocketServer, platform))
        assert.match(yield* ending(server.run(() => Effect.void)), /^fails ServerFailed: /)
      })
    )
  }
})
