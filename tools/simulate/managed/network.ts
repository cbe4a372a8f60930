/** Servers that come and go, and the connections to them, each over a simulated link. */
import type { Transport } from "effect-muxado"
import { ErrorCode, MuxadoError, Session } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { direct } from "../sessions/direct.js"
import type { Run } from "../sessions/run.js"
import type { Client } from "./client.js"
import { Denied } from "./history.js"
import type { Behaviour, World } from "./profile.js"

/** How long `connect` cannot be interrupted, in milliseconds. */
export const STUCK = 40_000

export interface Connection {
  readonly number: number
  readonly client: Client
  readonly server: number
  readonly behaviour: Behaviour
  readonly link: SimulatedTransport.Pair
  readonly scope: Scope.CloseableScope
  /** `undefined` if the server serves no session on it. */
  readonly session: Session.SessionService | undefined
  /** Bytes are lost on it, and nobody is told. */
  isLost: boolean
  /** The client's session has destroyed its transport. */
  isDestroyed: boolean
  /** A session over it took calls. */
  isUsed: boolean
  /** The scope of the attempt, or of the session, is closed. */
  isReleased: boolean
}

type Handler = (session: Session.SessionService, client: Client) => Effect.Effect<unknown>

export class Network {
  readonly connections: Array<Connection> = []
  /** The numbers of the servers that take connections. */
  servers: Array<number>
  /** What comes of a new connection: one of these. */
  weather: readonly [Behaviour, ...ReadonlyArray<Behaviour>] = ["serve"]
  /** Until then no server listens. */
  downUntil = 0
  private nextServer = 0

  constructor(
    private readonly run: Run,
    private readonly world: World,
    private readonly scope: Scope.Scope,
    private readonly handler: Handler
  ) {
    this.servers = Array.from({ length: world.servers }, () => this.nextServer++)
  }

  /** The connections that the client has not given up. */
  get open(): ReadonlyArray<Connection> {
    return this.connections.filter(({ isReleased }) => !isReleased)
  }

  /** Whether bytes pass on all connections of the client, and servers answer there. */
  isHealthy(client: Client): boolean {
    return this.open.every(
      ({ behaviour, client: own, isLost }) =>
        own !== client || (!isLost && (behaviour === "serve" || behaviour === "slow" || behaviour === "stuck"))
    )
  }

  /** A new server takes the connections that one of the servers would have taken. Returns the connections of the old one. */
  replace(): ReadonlyArray<Connection> {
    const old = this.run.random.below(this.servers.length)
    const [gone] = this.servers.splice(old, 1, this.nextServer++)
    return this.open.filter(({ server }) => server === gone)
  }

  /** A session takes calls. With `verify`, its server has answered. */
  connected(client: Client, { peer }: { readonly peer: Transport.Peer | undefined }): void {
    const connection = this.connections[peer?._tag === "Unix" ? Number(peer.path.split("/")[2]) : -1]
    client.insist(connection?.client === client, "it is connected to another's connection")
    if (connection === undefined) return
    connection.isUsed = true
    const answers = connection.behaviour !== "silent" && connection.behaviour !== "drop"
    client.insist(answers || !client.profile.verify, `a session over connection ${connection.number} was not verified`)
  }

  /** For the option `connect` of a managed session. */
  connect(client: Client): Effect.Effect<Transport.TransportService, MuxadoError.TransportFailed, Scope.Scope> {
    const { random } = this.run
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        client.dialling++
        client.insist(client.dialling <= client.profile.size, `${client.dialling} attempts at the same time`)
        client.insist(!client.isEnding || client.status._tag !== "Closed", "it connects after its end")
        const behaviour = this.run.engine.now < this.downUntil ? "refuse" : random.pick(this.weather)
        this.run.count(`connect: ${behaviour}`)
        return behaviour
      }),
      (behaviour) => this.attempt(client, behaviour),
      () => Effect.sync(() => client.dialling--)
    )
  }

  private attempt(
    client: Client,
    behaviour: Behaviour
  ): Effect.Effect<Transport.TransportService, MuxadoError.TransportFailed, Scope.Scope> {
    const made = Effect.suspend(() => this.make(client, behaviour))
    switch (behaviour) {
      case "refuse":
        return Effect.fail(failed(new Error("connect ECONNREFUSED")))
      case "deny":
        return Effect.fail(failed(new Denied("wrong credentials")))
      case "die":
        return Effect.die(new Error("a defect of `connect`"))
      case "interrupt":
        return Effect.interrupt
      case "hang":
        return Effect.never
      case "slow":
        return Effect.zipRight(Effect.sleep(this.run.random.size(3000)), made)
      case "stuck":
        return Effect.acquireUseRelease(
          // the attempt is over before this is
          Effect.sync(() => client.dialling--),
          () => Effect.zipRight(Effect.uninterruptible(Effect.sleep(STUCK)), made),
          () => Effect.sync(() => client.dialling++)
        )
      default:
        return made
    }
  }

  private make(
    client: Client,
    behaviour: Behaviour
  ): Effect.Effect<Transport.TransportService, MuxadoError.TransportFailed, Scope.Scope> {
    const { random, run, world } = { random: this.run.random, run: this.run, world: this.world }
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
      // the link belongs to the network, so that a client that does not destroy its transport is found out
      const link = yield* SimulatedTransport.makePair({ ...world.link, seed: random.below(1_000_000) }).pipe(
        Effect.withClock(run.engine.steady),
        Scope.extend(scope)
      )
      const serves = behaviour !== "silent" && behaviour !== "drop"
      const session = serves
        ? yield* Effect.orDie(
            Session.fromTransport(link.server, {
              role: "server",
              typed: world.typed,
              heartbeat: world.typed ? world.heartbeat : false,
              maxInboundStreams: world.room,
              drainTimeout: world.drainTimeout
            })
          ).pipe(Scope.extend(scope))
        : undefined
      const server = random.one(this.servers) ?? 0
      const number = this.connections.length
      const flags = { isLost: false, isDestroyed: false, isUsed: false, isReleased: false }
      const connection: Connection = { number, client, server, behaviour, link, scope, session, ...flags }
      this.connections.push(connection)
      run.tell(`connection ${number} of ${client.name} to server ${server}: ${behaviour}`)
      yield* Effect.forkIn(Effect.interruptible(this.serve(connection)), this.scope)
      const transport: Transport.TransportService = {
        ...link.client,
        peer: { _tag: "Unix", path: `/connection/${number}` },
        destroy: Effect.ensuring(
          link.client.destroy,
          Effect.sync(() => {
            connection.isDestroyed = true
          })
        )
      }
      yield* Effect.addFinalizer(() =>
        Effect.suspend(() => {
          connection.isReleased = true
          return link.client.destroy
        })
      )
      return transport
    }).pipe(
      // so that the connection is always in the list, and always released
      Effect.uninterruptible,
      Effect.flatMap((transport) => (client.profile.direct ? direct(run, transport) : Effect.succeed(transport)))
    )
  }

  /** What the server does on a connection, to its end. */
  private serve({ behaviour, client, link, scope, session }: Connection): Effect.Effect<void> {
    const end = Scope.close(scope, Exit.void)
    if (behaviour === "drop") return Effect.zipRight(link.cut, end)
    if (session === undefined) {
      const listen: Effect.Effect<void> = Effect.matchEffect(link.server.read, {
        onFailure: () => link.server.destroy,
        onSuccess: () => listen
      })
      return Effect.zipRight(listen, end)
    }
    const working =
      behaviour === "goAway"
        ? session.closeWith({ debug: "not now" })
        : behaviour === "calm"
          ? session.closeWith({ code: ErrorCode.EnhanceYourCalm })
          : this.handler(session, client)
    return Effect.zipRight(Effect.zipRight(working, session.closed), end)
  }
}

const failed = (cause: Error): MuxadoError.TransportFailed =>
  new MuxadoError.TransportFailed({ reason: "Open", cause, initiator: "Remote", processed: "no" })
