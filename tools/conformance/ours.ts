/** Our own sessions as targets, in memory and over TCP. */
import type { MuxadoError, SessionOptions, Transport } from "effect-muxado"
import { MuxStream, Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import { echo } from "../../test/support/echo.js"
import { NoConnection } from "./failure.js"
import { listen } from "./listen.js"
import type { Needs } from "./row.js"
import type { Connection, Target } from "./target.js"

const EVERYTHING: ReadonlySet<Needs> = new Set<Needs>(["acceptor", "holder", "opener", "repeater"])

// --- what the application does

const hello = (stream: MuxStream.MuxStream): Effect.Effect<void, MuxadoError.StreamError> =>
  MuxStream.write(stream, new TextEncoder().encode("hello")).pipe(
    Effect.zipRight(MuxStream.finish(stream)),
    Effect.zipRight(MuxStream.readAll(stream)),
    Effect.asVoid
  )

const application = (needs: Needs, session: Session.SessionService): Effect.Effect<void> => {
  switch (needs) {
    case "acceptor":
      return session.serve(echo)
    case "holder":
      return Effect.asVoid(session.closed)
    case "opener":
      return Effect.zipRight(Effect.ignore(session.withStream(hello)), session.closed)
    case "repeater":
      return Effect.zipRight(Effect.ignore(Effect.forever(session.withStream(hello))), session.closed)
  }
}

/** A session that a row leaves in some mess is not waited for. */
const ENDS = { drainTimeout: "200 millis", closeTimeout: "200 millis" } as const

const optionsFor = (typed: boolean): SessionOptions => (typed ? ENDS : { ...ENDS, typed: false, heartbeat: false })

const startSession = (role: "client" | "server", transport: Transport.TransportService, typed: boolean) =>
  Effect.orDie(Session.fromTransport(transport, { ...optionsFor(typed), role }))

// --- in memory

/** Our session at the other end of a link in memory; `wrap` may tamper with the target's end. */
export const inMemory = (
  role: "client" | "server",
  wrap: (transport: Transport.TransportService) => Transport.TransportService = (transport) => transport
): Target => ({
  can: EVERYTHING,
  connect: (needs, typed) =>
    Effect.gen(function* () {
      const link = yield* SimulatedTransport.makePair()
      const [near, far] = role === "client" ? [link.server, link.client] : [link.client, link.server]
      const session = yield* startSession(role, wrap(far), typed)
      yield* Effect.forkScoped(application(needs, session))
      return { transport: near, role: role === "client" ? "server" : "client" } satisfies Connection
    })
})

// --- over TCP

const HOST = "127.0.0.1"

const unusable = (error: Error): NoConnection => new NoConnection({ detail: error.message })

/** Our own server, or our own client that dials the tester, over TCP; each row has its own. */
export const overTcp: Target = {
  can: EVERYTHING,
  connect: (needs, typed) =>
    needs === "acceptor" || needs === "holder" ? toServer(needs, typed) : fromClient(needs, typed)
}

const toServer = (needs: Needs, typed: boolean) =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: HOST, port: 0 }, optionsFor(typed))
    yield* Effect.forkScoped(server.run((session) => application(needs, session)))
    const port = server.address._tag === "TcpAddress" ? server.address.port : 0
    const transport = yield* NodeTransport.makeTcp({ host: HOST, port })
    return { transport, role: "client" } satisfies Connection
  }).pipe(Effect.mapError(unusable))

const fromClient = (needs: Needs, typed: boolean) =>
  Effect.gen(function* () {
    const listener = yield* listen(HOST, 0)
    const far = yield* NodeTransport.makeTcp({ host: HOST, port: listener.port })
    const session = yield* startSession("client", far, typed)
    yield* Effect.forkScoped(application(needs, session))
    return { transport: yield* listener.accept, role: "server" } satisfies Connection
  }).pipe(Effect.mapError(unusable))
