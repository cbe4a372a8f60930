/**
 * Other implementations as targets. Their programs start when they are needed, and start again after they have exited.
 */
import { NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { NoConnection } from "../failure.js"
import { listen } from "../listen.js"
import type { Needs } from "../row.js"
import type { Connection, Target } from "../target.js"
import { start } from "./process.js"

const HOST = "127.0.0.1"

/** How long a program may take until it listens, or dials. */
const PATIENCE = "10 seconds"

type Mode = "acceptor" | "opener"

/** A program that runs, and the way to a connection with it. */
interface Running {
  readonly scope: Scope.CloseableScope
  readonly connect: Effect.Effect<Connection, NoConnection, Scope.Scope>
  readonly exited: () => boolean
}

export interface PeerTarget extends Target {
  /** Ends the programs: the next row gets new ones, so that no failure spoils another row. */
  readonly renew: Effect.Effect<void>
}

export const peerTarget = (program: string, typed: boolean): Effect.Effect<PeerTarget, never, Scope.Scope> =>
  Effect.gen(function* () {
    const running = new Map<Mode, Running>()
    const stop = (mode: Mode) =>
      Effect.suspend(() => {
        const peer = running.get(mode)
        running.delete(mode)
        return peer === undefined ? Effect.void : Scope.close(peer.scope, Exit.void)
      })
    const renew = Effect.zipRight(stop("acceptor"), stop("opener"))
    yield* Effect.addFinalizer(() => renew)

    const ready = (mode: Mode): Effect.Effect<Running, NoConnection> =>
      Effect.gen(function* () {
        const known = running.get(mode)
        if (known !== undefined && !known.exited()) return known
        yield* stop(mode)
        const scope = yield* Scope.make()
        const run = mode === "acceptor" ? server(program, typed) : client(program, typed)
        const peer = yield* Scope.extend(run, scope).pipe(
          Effect.onError(() => Scope.close(scope, Exit.void)),
          Effect.map((parts) => ({ ...parts, scope }))
        )
        running.set(mode, peer)
        return peer
      })
    const connect = (mode: Mode) => Effect.flatMap(ready(mode), (peer) => inTime(peer.connect))
    return {
      can: new Set<Needs>(["acceptor", "opener"]),
      renew,
      connect: (needs) => {
        const mode = needs === "opener" ? "opener" : "acceptor"
        return Effect.orElse(connect(mode), () => Effect.zipRight(stop(mode), connect(mode)))
      }
    }
  })

const modeFlags = (typed: boolean): ReadonlyArray<string> => (typed ? [] : ["--untyped"])

const server = (program: string, typed: boolean) =>
  Effect.gen(function* () {
    const peer = yield* start(program, ["echo-server", "--host", HOST, "--port", "0", ...modeFlags(typed)])
    const line = yield* inTime(peer.line)
    const port = Number(/^listening .*:(\d+)$/.exec(line)?.[1])
    const connect = NodeTransport.makeTcp({ host: HOST, port }).pipe(
      Effect.map((transport): Connection => ({ transport, role: "client" })),
      Effect.mapError(({ message }) => new NoConnection({ detail: message }))
    )
    return { connect, exited: peer.exited }
  })

const client = (program: string, typed: boolean) =>
  Effect.gen(function* () {
    const listener = yield* listen(HOST, 0)
    const peer = yield* start(program, [
      "echo-client",
      ...["--host", HOST, "--port", String(listener.port)],
      ...modeFlags(typed)
    ])
    const connect = Effect.map(listener.accept, (transport): Connection => ({ transport, role: "server" }))
    return { connect, exited: peer.exited }
  })

const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | NoConnection, R> =>
  Effect.timeoutFail(effect, {
    duration: PATIENCE,
    onTimeout: () => new NoConnection({ detail: "the program neither listens nor dials" })
  })
