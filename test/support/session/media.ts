/** Pairs of sessions over every medium. */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { assert } from "@effect/vitest"
import type { Session } from "effect-muxado"
import { SessionServer, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { duplexPair } from "../node/support.js"
import { certificates } from "../certificates.js"
import type { Sessions } from "./suite.js"
import { eventually, sessionOver } from "./sessions.js"

export const overSimulated = (options: SimulatedTransport.Options) =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair(options)
    return yield* overTransports(link)
  })

export const overDuplexes = Effect.gen(function* () {
  const [near, far] = duplexPair()
  yield* Effect.addFinalizer(() =>
    eventually(
      "no listener is left on the Duplexes, beside what they have of their own",
      Effect.sync(() => [near, far].every((end) => end.eventNames().every((name) => name === "prefinish")))
    )
  )
  return yield* overTransports({
    client: yield* NodeTransport.fromDuplex(near),
    server: yield* NodeTransport.fromDuplex(far)
  })
})

export const overTcp = Effect.gen(function* () {
  const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
  return yield* overServer(server, NodeTransport.makeTcp({ host: "127.0.0.1", port: portOf(server) }))
})

export const overTls = Effect.gen(function* () {
  const { ca, client, server } = yield* Effect.promise(certificates)
  const listening = yield* NodeSessionServer.makeTls({
    ...server,
    ca,
    requestCert: true,
    rejectUnauthorized: true,
    host: "127.0.0.1",
    port: 0
  })
  return yield* overServer(
    listening,
    NodeTransport.makeTls({ ...client, ca, host: "127.0.0.1", port: portOf(listening) })
  )
})

export const overUnix = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "muxado-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const path = join(directory, "socket")
  const server = yield* NodeSessionServer.makeUnix({ path })
  return yield* overServer(server, NodeTransport.makeUnix({ path }))
})

export const overWebSocket = Effect.gen(function* () {
  const listener = NodeSocketServer.layerWebSocket({ host: "127.0.0.1", port: 0, perMessageDeflate: false })
  const layer = Layer.provide(SessionServer.layer(), listener)
  const server = Context.get(yield* Layer.build(layer), SessionServer.SessionServer)
  const connect = Layer.build(
    Transport.layerWebSocket(`ws://127.0.0.1:${portOf(server)}`).pipe(
      Layer.provide(NodeSocket.layerWebSocketConstructor)
    )
  )
  return yield* overServer(server, Effect.map(connect, Context.get(Transport.Transport)))
})

const overTransports = (transports: {
  readonly client: Transport.TransportService
  readonly server: Transport.TransportService
}): Effect.Effect<Sessions, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* sessionOver("client", transports.client)
    const server = yield* sessionOver("server", transports.server)
    return { client, server, destroy: transports.client.destroy }
  })

/** The session that the server gives to its handler, which lasts as long as the session. */
const overServer = <E>(
  server: SessionServer.SessionServerService,
  connect: Effect.Effect<Transport.TransportService, E, Scope.Scope>
): Effect.Effect<Sessions, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const arrived = yield* Deferred.make<Session.SessionService>()
    yield* Effect.forkScoped(
      server.run((session) => Effect.zipRight(Deferred.succeed(arrived, session), session.closed))
    )
    const transport = yield* connect
    const client = yield* sessionOver("client", transport)
    return { client, server: yield* Deferred.await(arrived), destroy: transport.destroy }
  })

const portOf = (server: SessionServer.SessionServerService): number => {
  assert(server.address._tag === "TcpAddress")
  return server.address.port
}
