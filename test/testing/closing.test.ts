/** Sessions over a simulated link in the usual forms of a test: none hangs at its end, whatever goes on by then. */
import { assert, describe, it, layer } from "@effect/vitest"
import { FrameReader, FrameWriter, MuxStream, Session, Transport } from "effect-muxado"
import type { SessionOptions } from "effect-muxado"
import { SimulatedSessions, SimulatedTransport } from "effect-muxado/testing"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"

const bytes = new Uint8Array([1, 2, 3])
const latency = "20 millis"

const echo = (session: Session.SessionService) =>
  session.serve((stream) => Effect.flatMap(MuxStream.readAll(stream), (all) => MuxStream.write(stream, all)))

const call = (session: Session.SessionService) =>
  session.withStream((stream) =>
    Effect.zipRight(
      MuxStream.write(stream, bytes),
      Effect.zipRight(MuxStream.finish(stream), MuxStream.readAll(stream))
    )
  )

/** A call that is answered, while the test moves the clock. */
const conversation = ({ client, server }: Pick<SimulatedSessions.SimulatedSessionsService, "client" | "server">) =>
  Effect.gen(function* () {
    const serving = yield* Effect.fork(echo(server))
    const calling = yield* Effect.fork(call(client))
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(yield* Fiber.join(calling), bytes)
    yield* Fiber.interrupt(serving)
  })

type Role = "client" | "server"
type Start = (
  role: Role,
  transport: Transport.TransportService
) => Effect.Effect<Session.SessionService, unknown, Scope.Scope>

const fromLayer = (role: Role, transport: Transport.TransportService) =>
  Effect.map(
    Layer.build(
      (role === "client" ? Session.layerClient() : Session.layerServer()).pipe(
        Layer.provide(Layer.succeed(Transport.Transport, transport))
      )
    ),
    Context.get(Session.Session)
  )

const constructors: ReadonlyArray<readonly [string, Start]> = [
  [
    "Session.make",
    (role, transport) =>
      Session.make({ role }).pipe(
        Effect.provideService(Transport.Transport, transport),
        Effect.provideService(FrameReader.FrameReader, FrameReader.make(transport)),
        Effect.provideService(FrameWriter.FrameWriter, FrameWriter.make(transport))
      )
  ],
  ["Session.fromTransport", (role, transport) => Session.fromTransport(transport, { role })],
  ["Session.layerClient and layerServer", fromLayer],
  [
    "a copy of the transport with another write",
    (role, transport) => Session.fromTransport({ ...transport, write: (chunks) => transport.write(chunks) }, { role })
  ],
  [
    "a transport that is put together from the link's operations",
    (role, { destroy, end, read, write }) =>
      Session.fromTransport(
        { read: Effect.map(read, (chunk) => chunk), write: (chunks) => write(chunks), end, destroy },
        { role }
      )
  ]
]

describe("a test over a link with latency ends without TestClock.adjust", () => {
  for (const [name, start] of constructors) {
    it.scoped(`it.scoped, with sessions from ${name}`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair({ latency })
        const client = yield* start("client", link.client)
        const server = yield* start("server", link.server)
        yield* conversation({ client, server })
      })
    )
  }

  it.scoped("it.scoped, with SimulatedSessions.make", () =>
    Effect.flatMap(SimulatedSessions.make({ link: { latency } }), conversation)
  )

  it.effect("it.effect, with SimulatedSessions.layer", () =>
    Effect.flatMap(SimulatedSessions.SimulatedSessions, conversation).pipe(
      Effect.provide(SimulatedSessions.layer({ link: { latency } }))
    )
  )

  it.scoped("a session over a replayed trace", () =>
    Effect.gen(function* () {
      const { link } = yield* Effect.scoped(
        Effect.tap(SimulatedSessions.make({ link: { latency, trace: { bytes: true } } }), conversation)
      )
      const { transport } = yield* SimulatedTransport.replay(yield* link.trace, {
        direction: "clientToServer",
        ending: "silence"
      })
      const session = yield* Session.fromTransport(transport, { role: "server" })
      yield* Effect.forkScoped(session.serve(() => Effect.never))
    })
  )
})

/** What goes on when a test ends; time stood still at 0. */
const endings: Readonly<
  Record<string, (sessions: SimulatedSessions.SimulatedSessionsService) => Effect.Effect<unknown, unknown, Scope.Scope>>
> = {
  "a handler still runs": ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkDaemon(server.serve(() => Effect.never))
      yield* client.open()
      yield* TestClock.adjust("1 second")
    }),
  "streams are in flight, both ways": ({ client, server }) =>
    Effect.gen(function* () {
      for (const session of [client, server]) {
        for (let i = 0; i < 3; i++) {
          yield* Effect.forkDaemon(
            session.withStream((stream) =>
              Effect.zipRight(MuxStream.write(stream, new Uint8Array(300_000)), Effect.never)
            )
          )
        }
      }
      yield* TestClock.adjust("25 millis")
    }),
  "a finalizer closes a session": ({ client }) =>
    Effect.zipRight(
      Effect.addFinalizer(() => client.close),
      client.open()
    ),
  "a finalizer drains a session": ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkDaemon(server.serve(() => Effect.never))
      yield* Effect.forkDaemon(client.withStream(MuxStream.readAll))
      yield* Effect.addFinalizer(() => server.drain())
      yield* TestClock.adjust("1 second")
    }),
  "nothing was awaited": ({ client }) => Effect.flatMap(client.open(), (stream) => MuxStream.write(stream, bytes)),
  "the link is a black hole": ({ client, link }) =>
    Effect.gen(function* () {
      yield* link.blackHole
      yield* MuxStream.write(yield* client.open(), bytes)
    }),
  "the link takes no writes": ({ client, link }) =>
    Effect.gen(function* () {
      yield* link.stallWrites
      yield* MuxStream.write(yield* client.open(), bytes)
    }),
  "one direction is lost": ({ client, link }) =>
    Effect.gen(function* () {
      yield* link.inject({ serverToClient: { blackHole: true } })
      yield* MuxStream.write(yield* client.open(), bytes)
    }),
  "no operation of one side completes": ({ client, link }) =>
    Effect.gen(function* () {
      yield* link.inject({ client: { neverWrite: true, neverEnd: true, neverDestroy: true } })
      yield* MuxStream.write(yield* client.open(), bytes)
    }),
  "the client's session is closed, and the server's not": ({ client }) => Effect.forkDaemon(client.close),
  "both sessions are dead": ({ client, link, server }) =>
    Effect.gen(function* () {
      yield* link.blackHole
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([(yield* client.closed)._tag, (yield* server.closed)._tag], ["SessionDead", "SessionDead"])
    }),
  "the connection was cut": ({ link }) => Effect.zipRight(link.cut, TestClock.adjust(0)),
  "a fiber sleeps again and again": () => Effect.forkScoped(Effect.forever(Effect.sleep("7 millis")))
}

const heartbeats: Readonly<Record<string, SessionOptions>> = {
  "without heartbeats": { heartbeat: false },
  "with heartbeats": { heartbeat: { interval: "1 second", tolerance: "2 seconds" } }
}

for (const [with_, both] of Object.entries(heartbeats)) {
  describe(`sessions ${with_} end without TestClock.adjust`, () => {
    for (const [name, ending] of Object.entries(endings)) {
      if (name === "both sessions are dead" && both.heartbeat === false) continue
      it.scoped(`when a test ends while ${name}`, () =>
        Effect.flatMap(SimulatedSessions.make({ link: { latency }, both }), ending)
      )
      // as `layer` does in `afterAll`: the closing fiber has the live clock
      it.live(`when a fiber with another clock ends them while ${name}`, () =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const runtime = yield* Layer.provideMerge(
            SimulatedSessions.layer({ link: { latency }, both }),
            TestContext.TestContext
          ).pipe(Layer.toRuntime, Scope.extend(scope))
          const sessions = Context.get(runtime.context, SimulatedSessions.SimulatedSessions)
          yield* ending(sessions).pipe(Scope.extend(scope), Effect.provide(runtime))
          yield* Scope.close(scope, Exit.void)
          assert.isDefined(yield* sessions.client.closed)
          assert.isDefined(yield* sessions.server.closed)
        })
      )
    }
  })
}

describe("a test that moves the clock itself", () => {
  it.scoped("sees a session close in its normal virtual time", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { client, server } = yield* SimulatedSessions.make({
        link: { latency },
        both: { heartbeat: false, drainTimeout: "3 seconds" }
      }).pipe(Scope.extend(scope))
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      yield* client.open().pipe(Scope.extend(scope))

      yield* TestClock.adjust("1 second")
      const ended = yield* Deferred.make<number>()
      yield* Effect.fork(
        Effect.zipRight(
          server.closed,
          Effect.flatMap(Clock.currentTimeMillis, (now) => Deferred.succeed(ended, now))
        )
      )
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      for (let adjusted = 0; adjusted < 29; adjusted++) {
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(yield* Clock.currentTimeMillis, 1000 + 100 * (adjusted + 1))
        assert.isFalse(yield* Deferred.isDone(ended))
      }
      yield* TestClock.adjust("200 millis")
      yield* Fiber.join(closing)
      assert.isAtMost(yield* Deferred.await(ended), 4200)
    })
  )
})

// last: `layer` gives its clock to every test of a file that comes after it
layer(SimulatedSessions.layer({ link: { latency } }))("a layer that tests share is over by itself", (it) => {
  for (const name of ["the first test", "the second test"]) {
    it.effect(name, () => Effect.flatMap(SimulatedSessions.SimulatedSessions, conversation))
  }
})
