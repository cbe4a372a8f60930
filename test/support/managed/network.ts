/**
 * A server behind a simulated network, which can be restarted, refuse, stay silent or leave. Each connection of a client
 * is a simulated connection of its own.
 */
import { Clock, Effect, ExecutionStrategy, Scope } from "effect"
import type { SessionOptions, Transport } from "effect-muxado"
import { ErrorCode, MuxadoError, Session } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"

/** What the server does with a new connection. */
export type Mode =
  /** It serves it. */
  | "Serve"
  /** The client's attempt fails. */
  | "Refuse"
  /** The connection is there, and nothing answers on it. */
  | "Silent"
  /** It is cut at once. */
  | "Drop"
  /** It gets GOAWAY at once, and is closed. */
  | "GoAway"
  /** It gets GOAWAY at once, and stays open. */
  | "Leave"
  /** It gets GOAWAY with EnhanceYourCalm, and is closed. */
  | "Calm"
  /** An HTTP server answers. */
  | "Http"
  /** The attempt never completes, until it is interrupted. */
  | "Hang"

/** One connection, as the server sees it. */
export interface Connection {
  readonly link: SimulatedTransport.Pair
  /** `undefined` if the server serves no session on it. */
  readonly session: Session.SessionService | undefined
  readonly scope: Scope.CloseableScope
}

export interface Options {
  readonly handler: (session: Session.SessionService, server: number) => Effect.Effect<unknown>
  readonly session?: SessionOptions
  readonly link?: SimulatedTransport.Options
}

export interface Network {
  /** Connects; for the option `connect` of a managed session. */
  readonly connect: Effect.Effect<Transport.TransportService, MuxadoError.TransportFailed, Scope.Scope>
  /** The connections so far. */
  readonly connections: Array<Connection>
  /** The number of attempts so far. */
  dials: number
  /** The transports of the client whose scope is open. */
  open: number
  /** When each attempt began, in milliseconds of the clock. */
  readonly times: Array<number>
  mode: Mode
  /** The number of the server: each restart makes a new one. */
  server: number
  /** Drains all connections of this server; the next one takes the connections that come meanwhile. */
  readonly replace: Effect.Effect<void>
  /** Cuts all connections. */
  readonly kill: Effect.Effect<void>
}

const http = new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

export const makeNetwork = (options: Options): Effect.Effect<Network, never, Scope.Scope> =>
  Effect.gen(function* () {
    // it closes after the managed sessions that are made later, which would otherwise connect again meanwhile
    const outer = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const network: Network = {
      connections: [],
      dials: 0,
      open: 0,
      times: [],
      mode: "Serve",
      server: 0,
      connect: Effect.gen(function* () {
        network.dials++
        network.times.push(yield* Clock.currentTimeMillis)
        const { mode, server } = network
        if (mode === "Hang") return yield* Effect.never
        if (mode === "Refuse") {
          return yield* new MuxadoError.TransportFailed({
            reason: "Open",
            cause: new Error("connect ECONNREFUSED"),
            endpoint: "simulated",
            initiator: "Remote",
            processed: "no"
          })
        }
        const link = yield* SimulatedTransport.makePair({
          ...options.link,
          seed: (options.link?.seed ?? 0) + network.dials
        })
        yield* Effect.acquireRelease(
          Effect.sync(() => network.open++),
          () => Effect.sync(() => network.open--)
        )
        const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
        const session =
          mode === "Silent" || mode === "Http"
            ? undefined
            : yield* Session.fromTransport(link.server, { ...options.session, role: "server" }).pipe(
                Scope.extend(scope),
                Effect.orDie
              )
        network.connections.push({ link, session, scope })
        if (mode === "Drop") yield* link.cut
        if (mode === "Http") yield* Effect.forkIn(link.server.write([http]), scope)
        if (session !== undefined) {
          const leaving: Partial<Record<Mode, Effect.Effect<void>>> = {
            GoAway: session.closeWith({ debug: "not now" }),
            Leave: session.goAway({ debug: "not now" }),
            Calm: session.closeWith({ code: ErrorCode.EnhanceYourCalm, debug: "too often" })
          }
          yield* Effect.forkIn(Effect.interruptible(leaving[mode] ?? options.handler(session, server)), scope)
        }
        return link.client
      }),
      replace: Effect.suspend(() => {
        network.server++
        const old = [...network.connections]
        return Effect.forEach(old, ({ session }) => session?.drain() ?? Effect.void, {
          concurrency: "unbounded",
          discard: true
        })
      }),
      kill: Effect.suspend(() => {
        network.server++
        return Effect.forEach(network.connections, ({ link }) => link.cut, { discard: true })
      })
    }
    return network
  })
