/** The test cases, as the client runs them. Each case has a new connection and a new session. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Socket from "@effect/platform/Socket"
import type { MuxadoError, SessionOptions } from "effect-muxado"
import { MuxStream, Session, Transport } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import type { Case, ClientSettings, Request, State } from "./messages.js"
import { BULK_BYTES, CLIENT_SEED, SERVER_SEED, StreamType } from "./messages.js"
import { bytesOf, chunksOf, digestOf, receive, send } from "./payload.js"

type Program = Effect.Effect<void, unknown, Scope.Scope>

export const programs = (
  settings: ClientSettings,
  ask: (request: Request) => Effect.Effect<State | null>
): Readonly<Record<Case, Program>> => {
  const transport = transportLayer(settings)
  const connect = (options: SessionOptions = {}) =>
    Effect.map(Layer.build(Layer.provide(Session.layerClient(options), transport)), Context.get(Session.Session))

  /** Asks for the server's state until it is as it should be. */
  const serverComesTo = (what: string, holds: (state: State) => boolean): Effect.Effect<State, Error> =>
    Effect.flatMap(ask("state"), (state) =>
      state !== null && holds(state)
        ? Effect.succeed(state)
        : Effect.fail(new Error(`the server: ${what} expected, but ${JSON.stringify(state)}`))
    ).pipe(Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.compose(Schedule.recurs(100)))))

  const echo = (session: Session.SessionService, seed: number, bytes: number) =>
    session.withStream(
      (stream) =>
        Effect.gen(function* () {
          const [, received] = yield* Effect.all([send(stream, seed, bytes), receive(stream)], {
            concurrency: "unbounded"
          })
          yield* same(`an echo of ${bytes} bytes`, received, digestOf(chunksOf(seed, bytes)))
        }),
      { type: StreamType.Echo }
    )

  /** Fibers whose calls the server never answers. */
  const park = (session: Session.SessionService, calls: number) =>
    Effect.gen(function* () {
      const before = yield* serverComesTo("any state", () => true)
      const fibers = yield* Effect.replicateEffect(
        Effect.fork(
          session.withStream(
            (stream) => Effect.zipRight(MuxStream.write(stream, bytesOf(7, 10)), MuxStream.readAll(stream)),
            { type: StreamType.Park }
          )
        ),
        calls
      )
      yield* serverComesTo(`${calls} calls`, ({ parked }) => parked === before.parked + calls)
      return fibers
    })

  const echoCase: Program = Effect.gen(function* () {
    const session = yield* connect()
    for (const bytes of [0, 1, 1_000, 16_384, 65_535, 65_536, 65_537, 70_000, 81_920, 200_000, 1_000_000]) {
      yield* echo(session, bytes + 1, bytes)
    }
  })

  // a call leaves in the step in which the connection opens: the server may not be slow to listen
  const connectionsCase: Program = Effect.gen(function* () {
    for (let seed = 1; seed <= 40; seed++) {
      yield* Effect.scoped(Effect.flatMap(connect(), (session) => echo(session, seed, 1_000)))
    }
  })

  const streamsCase: Program = Effect.gen(function* () {
    const session = yield* connect()
    yield* Effect.forEach(
      Array.from({ length: 50 }, (_, i) => i + 1),
      (seed) => echo(session, seed, 100_000 + seed),
      { concurrency: "unbounded", discard: true }
    )
  })

  const bulkCase: Program = Effect.gen(function* () {
    const session = yield* connect()
    const received = yield* session.withStream(
      (stream) =>
        Effect.map(
          Effect.all([send(stream, CLIENT_SEED, BULK_BYTES), receive(stream)], { concurrency: "unbounded" }),
          ([, received]) => received
        ),
      { type: StreamType.Bulk }
    )
    yield* same("what the client received", received, digestOf(chunksOf(SERVER_SEED, BULK_BYTES)))
    const sent = digestOf(chunksOf(CLIENT_SEED, BULK_BYTES))
    yield* serverComesTo(`20 MiB with the digest ${sent.digest}`, ({ read }) => read.digest === sent.digest)
  })

  const halfCloseCase: Program = Effect.gen(function* () {
    const session = yield* connect()
    // the peer finishes first, and this side still writes
    yield* session.withStream(
      (stream) =>
        Effect.gen(function* () {
          yield* same("the end of the peer's direction", yield* MuxStream.read(stream), Option.none())
          yield* Effect.sleep("100 millis")
          yield* send(stream, 11, 500_000)
        }),
      { type: StreamType.FinishFirst }
    )
    const sent = digestOf(chunksOf(11, 500_000))
    yield* serverComesTo(`500000 bytes with the digest ${sent.digest}`, ({ read }) => read.digest === sent.digest)
    // this side finishes first, and the peer still writes
    yield* session.withStream(
      (stream) =>
        Effect.gen(function* () {
          yield* send(stream, 12, 200_000)
          yield* same("a late answer", yield* receive(stream), digestOf(chunksOf(12, 200_000)))
        }),
      { type: StreamType.Late }
    )
  })

  const cancelCase: Program = Effect.gen(function* () {
    const session = yield* connect()
    const before = yield* serverComesTo("any state", () => true)
    const fibers = yield* park(session, 3)
    yield* Fiber.interruptAll(fibers)
    yield* serverComesTo(
      "3 interrupted handlers",
      ({ parked, interrupted }) => parked === before.parked && interrupted === before.interrupted + 3
    )
    // and the other way: a handler that fails resets the call
    const error = yield* Effect.flip(
      session.withStream(
        (stream) => Effect.zipRight(MuxStream.write(stream, bytesOf(7, 10)), MuxStream.readAll(stream)),
        { type: StreamType.Fail }
      )
    )
    yield* same("the error of a call whose handler fails", error._tag, "StreamReset")
    yield* echo(session, 1, 1_000)
  })

  const heartbeatsCase: Program = Effect.gen(function* () {
    const session = yield* connect({ heartbeat: { interval: "100 millis", tolerance: "5 seconds" } })
    yield* Effect.sleep("1 second")
    const { roundTrip } = yield* session.stats
    yield* same("a round trip was measured", roundTrip !== undefined, true)
    yield* session.ping
    yield* echo(session, 1, 1_000)
  })

  const silenceCase: Program = Effect.gen(function* () {
    const session = yield* connect({ heartbeat: { interval: "100 millis", tolerance: "1 second" } })
    const fibers = yield* park(session, 3)
    yield* ask("stop-server")
    const ended = yield* Effect.ensuring(session.closed, ask("continue-server"))
    yield* same("why the session ended", ended._tag === "SessionDead" && ended.reason, "Heartbeat")
    yield* failTyped(fibers, "SessionDead")
  })

  const drainCase: Program = Effect.gen(function* () {
    const late = (session: Session.SessionService) =>
      session.withStream(
        (stream) =>
          Effect.gen(function* () {
            yield* send(stream, 12, 200_000)
            yield* same("an answer under way", yield* receive(stream), digestOf(chunksOf(12, 200_000)))
          }),
        { type: StreamType.Late }
      )
    // the server leaves
    const session = yield* connect()
    const call = yield* Effect.fork(late(session))
    yield* Effect.sleep("100 millis")
    yield* session.withStream(MuxStream.readAll, { type: StreamType.Drain })
    yield* Fiber.join(call)
    const ended = yield* session.closed
    yield* same("why the session ended", ended._tag, "RemoteGoneAway")
    const refused = yield* Effect.flip(echo(session, 1, 1_000))
    yield* same("the error of a later call", "processed" in refused && refused.processed, "no")
    // this side leaves
    const another = yield* connect()
    const lastCall = yield* Effect.fork(late(another))
    yield* Effect.sleep("100 millis")
    yield* another.drain()
    yield* Fiber.join(lastCall)
    yield* same("why the session ended", (yield* another.closed)._tag, "SessionClosed")
    yield* serverComesTo("no session", ({ sessions }) => sessions === 0)
  })

  const killClientCase: Program = Effect.gen(function* () {
    const session = yield* connect()
    yield* park(session, 3)
    // it kills this process, and looks at the server
    yield* ask("kill-client")
  })

  const killServerCase: Program = Effect.gen(function* () {
    const session = yield* connect()
    const fibers = yield* park(session, 3)
    yield* ask("kill-server")
    yield* same("why the session ended", (yield* session.closed)._tag, "TransportFailed")
    yield* failTyped(fibers, "TransportFailed")
    yield* same(
      "the error of a later call",
      yield* Effect.flip(echo(session, 1, 1)).pipe(Effect.map(tagOf)),
      "TransportFailed"
    )
    yield* same("the error of a connection", yield* Effect.flip(connect()).pipe(Effect.map(tagOf)), "TransportFailed")
  })

  return {
    echo: echoCase,
    connections: connectionsCase,
    streams: streamsCase,
    bulk: bulkCase,
    "half-close": halfCloseCase,
    cancel: cancelCase,
    heartbeats: heartbeatsCase,
    silence: silenceCase,
    drain: drainCase,
    "kill-client": killClientCase,
    "kill-server": killServerCase
  }
}

const transportLayer = ({
  ca,
  endpoint
}: ClientSettings): Layer.Layer<Transport.Transport, MuxadoError.TransportFailed> => {
  const { path, port } = endpoint
  const webSocket = Transport.layerWebSocket(`ws://127.0.0.1:${port}`)
  switch (endpoint.medium) {
    case "tcp":
      return NodeTransport.layerTcp({ host: "127.0.0.1", port })
    case "tls":
      return NodeTransport.layerTls({ host: "localhost", port, ca: readFileSync(ca) })
    case "unix":
      return NodeTransport.layerUnix({ path })
    case "ws":
      return Layer.provide(webSocket, NodeSocket.layerWebSocketConstructor)
    case "ws-global":
      return Layer.provide(webSocket, Socket.layerWebSocketConstructorGlobal)
  }
}

const tagOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "_tag" in error ? error._tag : error

const failTyped = (fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>, tag: string): Effect.Effect<void, unknown> =>
  Effect.forEach(
    fibers,
    (fiber) => Effect.flatMap(Effect.flip(Fiber.join(fiber)), (error) => same("a pending call", tagOf(error), tag)),
    { discard: true }
  )

const same = (what: string, seen: unknown, expected: unknown): Effect.Effect<void, Error> => {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(expected)]
  return left === right ? Effect.void : Effect.fail(new Error(`${what}: ${right} expected, but ${left}`))
}
