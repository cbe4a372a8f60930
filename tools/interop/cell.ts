/** One cell of the matrix: a peer in one of its roles, and our session on the other side of a loopback connection. */
import type { SessionOptions, Transport } from "effect-muxado"
import { Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { certificates } from "../../test/support/certificates.js"
import type { Peer, Start } from "./peer.js"
import { spawnPeer } from "./peer.js"
import type { PeerName } from "./peers.js"
import { programOf } from "./peers.js"

export type Role = "client" | "server"

export interface Cell {
  readonly name: PeerName
  /** The role of the peer. */
  readonly role: Role
  readonly peer: Peer
  readonly session: Session.SessionService
}

export interface CellOptions {
  readonly tls?: boolean
  /** For both sides: typed unless told otherwise. */
  readonly typed?: boolean
  readonly ours?: SessionOptions
  readonly theirs?: Omit<Start, "role" | "port" | "tls" | "typed">
}

/** Connects the two; the scope's end drains our session and kills the peer. */
export const makeCell = (
  name: PeerName,
  role: Role,
  options: CellOptions = {}
): Effect.Effect<Cell, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const peer = yield* spawnPeer(programOf(name))
    const typed = options.typed ?? true
    // to Rust, a GOAWAY is the end of everything
    const announceDrain = name !== "rust"
    const ours: SessionOptions = { typed, heartbeat: false, drainTimeout: "2 seconds", announceDrain, ...options.ours }
    const theirs = { ...options.theirs, typed }
    const session =
      role === "server"
        ? yield* dial(peer, theirs, ours, options.tls === true)
        : yield* listen(peer, theirs, ours, options.tls === true)
    return { name, role, peer, session }
  })

const dial = (peer: Peer, theirs: Omit<Start, "role">, ours: SessionOptions, tls: boolean) =>
  Effect.gen(function* () {
    const { ca, server } = yield* Effect.promise(certificates)
    const port = yield* peer.start({ ...theirs, role: "server", ...(tls ? { tls: server } : {}) })
    const at = { host: tls ? "localhost" : "127.0.0.1", port }
    const transport = yield* tls ? NodeTransport.makeTls({ ...at, ca }) : NodeTransport.makeTcp(at)
    return yield* sessionOver("client", transport, ours)
  })

/** A session over a transport that exists already. */
export const sessionOver = (role: Role, transport: Transport.TransportService, options: SessionOptions) =>
  Session.fromTransport(transport, { ...options, role })

const listen = (peer: Peer, theirs: Omit<Start, "role">, ours: SessionOptions, tls: boolean) =>
  Effect.gen(function* () {
    const { ca, server: identity } = yield* Effect.promise(certificates)
    const at = { host: "127.0.0.1", port: 0 }
    const server = yield* tls
      ? NodeSessionServer.makeTls({ ...at, ...identity }, ours)
      : NodeSessionServer.makeTcp(at, ours)
    const connected = yield* Deferred.make<Session.SessionService>()
    yield* Effect.forkScoped(
      server.run((session) => Effect.zipRight(Deferred.succeed(connected, session), session.closed))
    )
    const port = server.address._tag === "TcpAddress" ? server.address.port : 0
    yield* peer.start({ ...theirs, role: "client", port, ...(tls ? { tls: { ca } } : {}) })
    return yield* Deferred.await(connected)
  })
