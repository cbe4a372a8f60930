/** Two of everything in one program: which layers are one session, and which are two. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Socket from "@effect/platform/Socket"
import { assert, describe, it } from "@effect/vitest"
import type { MuxadoError } from "effect-muxado"
import { FrameLog, FrameReader, FrameWriter, MuxStream, Session, SessionServer, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { noise } from "../support/bytes.js"
import { call, echoWhole, quick, sessionTest } from "../support/session/sessionTest.js"
import { decoded, echo, encoded, exchange, scenario, sessionOver } from "../support/session/sessions.js"

class Users extends Context.Tag("test/Users")<Users, Session.SessionService>() {}
class Orders extends Context.Tag("test/Orders")<Orders, Session.SessionService>() {}

/** A server that answers every stream with its name, and how many connections it has seen. */
const named = (name: string) =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
    const seen = { connections: 0 }
    yield* Effect.forkScoped(
      server.run((session) => {
        seen.connections++
        return session.serve((stream) => MuxStream.write(stream, name))
      })
    )
    assert(server.address._tag === "TcpAddress")
    return { port: server.address.port, seen }
  })

const ask = (session: Session.SessionService) => Effect.map(session.withStream(MuxStream.readAll), decoded)

const as = <Id, E, R>(layer: Layer.Layer<Session.Session, E, R>, tag: Context.Tag<Id, Session.SessionService>) =>
  Layer.project(layer, Session.Session, tag, (session) => session)

/** What both servers' names are, asked through one program with both clients. */
const askBoth = <E>(
  to: (port: number) => Layer.Layer<Session.Session, E>
): Effect.Effect<unknown, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const [users, orders] = [yield* named("users"), yield* named("orders")]
    const both = Layer.merge(as(to(users.port), Users), as(to(orders.port), Orders))
    const answers = yield* Effect.provide(
      Effect.gen(function* () {
        return [yield* ask(yield* Users), yield* ask(yield* Orders)]
      }),
      both
    )
    assert.deepStrictEqual(answers, ["users", "orders"])
    assert.deepStrictEqual([users.seen.connections, orders.seen.connections], [1, 1])
  })

describe("a layer value used over two transports is two sessions", () => {
  const client = Session.layerClient({ heartbeat: { interval: "5 seconds" } })
  const custom = Session.layer({ role: "client" })
  const logged = FrameLog.layer()
  const socketWith = Transport.layerSocket({ maxBuffered: 1_000_000 })
  const tcp = (port: number) => NodeTransport.layerTcp({ host: "127.0.0.1", port })
  const net = (port: number) => NodeSocket.layerNet({ host: "127.0.0.1", port })

  it.live("Session.layerClient", () => Effect.scoped(askBoth((port) => Layer.provide(client, tcp(port)))))

  it.live("Session.layer over FrameLog, FrameReader and FrameWriter", () =>
    Effect.scoped(
      askBoth((port) =>
        custom.pipe(
          Layer.provide(logged),
          Layer.provide(Layer.merge(FrameReader.layer, FrameWriter.layer)),
          Layer.provide(tcp(port))
        )
      )
    )
  )

  it.live("Transport.layerSocket", () =>
    Effect.scoped(askBoth((port) => client.pipe(Layer.provide(Transport.layerSocket()), Layer.provide(net(port)))))
  )

  it.live("Transport.layerSocket with options", () =>
    Effect.scoped(askBoth((port) => client.pipe(Layer.provide(socketWith), Layer.provide(net(port)))))
  )

  it.live("SessionServer.layer over two platform servers", () =>
    Effect.gen(function* () {
      const servers = SessionServer.layer()
      class One extends Context.Tag("test/One")<One, SessionServer.SessionServerService>() {}
      class Two extends Context.Tag("test/Two")<Two, SessionServer.SessionServerService>() {}
      const NodeSocketServer = yield* Effect.promise(() => import("@effect/platform-node/NodeSocketServer"))
      const over = () => Layer.provide(servers, NodeSocketServer.layer({ host: "127.0.0.1", port: 0 }))
      const both = Layer.merge(
        Layer.project(over(), SessionServer.SessionServer, One, (server) => server),
        Layer.project(over(), SessionServer.SessionServer, Two, (server) => server)
      )
      const [one, two] = yield* Effect.provide(Effect.all([One, Two]), both)
      assert.notDeepEqual(one.address, two.address)
    })
  )
})

it.live("one composed layer used twice is one connection", () =>
  Effect.gen(function* () {
    const server = yield* named("shared")
    const Live = Session.layerClient().pipe(
      Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port: server.port }))
    )
    const both = Layer.merge(as(Live, Users), as(Live, Orders))
    const same = yield* Effect.provide(
      Effect.gen(function* () {
        yield* ask(yield* Users)
        yield* ask(yield* Orders)
        return (yield* Users) === (yield* Orders)
      }),
      both
    )
    assert.isTrue(same)
    assert.strictEqual(server.seen.connections, 1)
  }).pipe(Effect.scoped)
)

describe("a transport carries one session", () => {
  const refusal =
    "Invalid options: this transport already carries a session: make a transport for each session, " +
    "or compose the session's layer with its transport's once and share the result"

  it.effect("a second session over the transport fails with InvalidOptions, and the first goes on", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* sessionOver("client", link.client)
      const server = yield* sessionOver("server", link.server)
      yield* Effect.fork(server.serve(echo))
      const attempts: ReadonlyArray<Effect.Effect<unknown, MuxadoError.InvalidOptions, Scope.Scope>> = [
        Session.fromTransport(link.client, { role: "client" }),
        Effect.scoped(
          Layer.build(Layer.provide(Session.layerServer(), Layer.succeed(Transport.Transport, link.client)))
        )
      ]
      for (const attempt of attempts) {
        const error = yield* Effect.flip(attempt)
        assert.strictEqual(error.message, refusal)
      }
      assert.strictEqual(decoded(yield* client.withStream((stream) => exchange(stream, encoded("goes on")))), "goes on")
    }).pipe(scenario)
  )

  it.effect("also after the first has ended: its unread bytes start no session", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* sessionOver("client", link.client)
          yield* sessionOver("server", link.server)
        })
      )
      const error = yield* Effect.flip(sessionOver("client", link.client))
      assert.strictEqual(error.message, refusal)
    }).pipe(scenario)
  )

  it.effect("a transport is still usable after wrong options", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      yield* Effect.flip(sessionOver("client", link.client, { window: 1 }))
      yield* sessionOver("client", link.client)
    }).pipe(scenario)
  )

  sessionTest("a second session on a transport is refused, and the first goes on", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const client = yield* Session.fromTransport(link.client, { ...quick, role: "client" })
      const server = yield* Session.fromTransport(link.server, { ...quick, role: "server" })
      yield* Effect.forkScoped(server.serve(echoWhole))
      const error = yield* Effect.flip(Session.fromTransport(link.client, { ...quick, role: "client" }))
      assert.match(error.message, /^Invalid options: this transport already carries a session/)
      assert.strictEqual(yield* call(client), "hello")
    })
  )

  sessionTest("a session that was refused for its options leaves the transport to the next", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      yield* Effect.flip(Session.fromTransport(link.client, { role: "client", window: 1 }))
      const client = yield* Session.fromTransport(link.client, { ...quick, role: "client" })
      const server = yield* Session.fromTransport(link.server, { ...quick, role: "server" })
      yield* Effect.forkScoped(server.serve(echoWhole))
      assert.strictEqual(yield* call(client), "hello")
    })
  )
})

describe("a composed layer", () => {
  it.effect("a layer with wrong options fails when it is built, and says which", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      for (const layer of [Session.layerClient({ window: 3 }), Session.layerServer({ window: 3 })]) {
        const error = yield* Effect.flip(
          Layer.build(Layer.provide(layer, Layer.succeed(Transport.Transport, link.client)))
        )
        assert.match(error.message, /window: must be an integer/)
      }
    }).pipe(Effect.scoped)
  )

  sessionTest("a reader, a writer and a log of frames used in two compositions are two of each", () =>
    Effect.gen(function* () {
      const composed = (transport: Transport.TransportService, role: "client" | "server") =>
        Effect.map(
          Layer.build(
            Session.layer({ ...quick, role }).pipe(
              Layer.provide(FrameLog.layer()),
              Layer.provide(Layer.merge(FrameReader.layer, FrameWriter.layer)),
              Layer.provide(Layer.succeed(Transport.Transport, transport))
            )
          ),
          (context) => Context.get(context, Session.Session)
        )
      const link = yield* SimulatedTransport.makePair()
      const [client, server] = [yield* composed(link.client, "client"), yield* composed(link.server, "server")]
      yield* Effect.forkScoped(server.serve(echoWhole))
      assert.strictEqual(yield* call(client), "hello")
    })
  )
})

it.scopedLive("two clients of two servers in one program share the layer of their options", () =>
  Effect.gen(function* () {
    const client = Session.layerClient(quick)
    const [one, two] = [yield* named("one"), yield* named("two")]
    const to = (port: number) => Layer.provide(client, NodeTransport.layerTcp({ host: "127.0.0.1", port }))
    const live = Layer.merge(
      Layer.project(to(one.port), Session.Session, Users, (session) => session),
      Layer.project(to(two.port), Session.Session, Orders, (session) => session)
    )
    const answers = Effect.gen(function* () {
      return [yield* call(yield* Users), yield* call(yield* Orders)]
    })
    assert.deepStrictEqual(yield* Effect.provide(answers, live), ["one", "two"])
  })
)

it.effect("two sessions in one program do not share a decoder or a writer", () =>
  Effect.gen(function* () {
    const links = [yield* SimulatedTransport.makePair(), yield* SimulatedTransport.makePair()] as const
    for (const link of links) {
      const server = yield* sessionOver("server", link.server)
      yield* Effect.forkScoped(server.serve(echo))
    }
    const over = (transport: Transport.TransportService) =>
      Session.layerClient().pipe(Layer.provide(Layer.succeed(Transport.Transport, transport)))
    const layers = Layer.merge(
      Layer.provide(Layer.effect(Users, Session.Session), over(links[0].client)),
      Layer.provide(Layer.effect(Orders, Session.Session), over(links[1].client))
    )
    const context = yield* Layer.build(layers)
    for (const session of [Context.get(context, Users), Context.get(context, Orders)]) {
      const bytes = noise(1000, 3)
      assert.deepStrictEqual(yield* session.withStream((stream) => exchange(stream, bytes)), bytes)
    }
  }).pipe(scenario)
)

describe("the layers of a client and a server", () => {
  it.effect("a client and a server talk over what the context gives them", () =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const over = (transport: Transport.TransportService) => Layer.succeed(Transport.Transport, transport)
      const client = Context.get(
        yield* Layer.build(Layer.provide(Session.layerClient(), over(link.client))),
        Session.Session
      )
      const server = Context.get(
        yield* Layer.build(Layer.provide(Session.layerServer(), over(link.server))),
        Session.Session
      )
      assert.deepStrictEqual([client.role, server.role], ["client", "server"])
      yield* Effect.fork(server.serve(echo))
      assert.strictEqual(decoded(yield* client.withStream((stream) => exchange(stream, encoded("hi")))), "hi")
    }).pipe(scenario)
  )
})

it("the constructor layer for ArrayBuffers belongs to the constructor that it is put over", async () => {
  const made: Array<string> = []
  const constructor = (name: string) =>
    Layer.succeed(Socket.WebSocketConstructor, () => {
      made.push(name)
      return {} as globalThis.WebSocket
    })
  class A extends Context.Tag("test/A")<A, (url: string) => unknown>() {}
  class B extends Context.Tag("test/B")<B, (url: string) => unknown>() {}
  const over = (name: string) => Layer.provide(Transport.layerWebSocketConstructorArrayBuffer, constructor(name))
  const both = Layer.merge(
    Layer.project(over("a"), Socket.WebSocketConstructor, A, (make) => (url: string) => make(url)),
    Layer.project(over("b"), Socket.WebSocketConstructor, B, (make) => (url: string) => make(url))
  )
  await Effect.runPromise(
    Effect.provide(
      Effect.gen(function* () {
        ;(yield* A)("ws://a")
        ;(yield* B)("ws://b")
      }),
      both
    )
  )
  assert.deepStrictEqual(made, ["a", "b"])
})
