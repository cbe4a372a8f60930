/** Two sessions over TCP with a proxy between them, both in this process. */
import type { SessionOptions } from "effect-muxado"
import { Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Proxy } from "./proxy.js"
import { makeProxy } from "./proxy.js"
import { handle } from "./work.js"

/** A dead peer is to be noticed soon. */
const QUICK = { interval: "500 millis", tolerance: "1 second" } as const

/**
 * A peer that resets as many streams as this one means no harm; nor does one whose FINs come for thousands of streams
 * that were closed at once.
 */
const OPTIONS: SessionOptions = {
  uselessFrameBudget: { burst: 100_000, perSecond: 10_000 },
  writeTimeout: "2 seconds",
  drainTimeout: "2 seconds",
  closeTimeout: "1 second",
  resetBudget: { burst: 1_000_000, perSecond: 100_000 },
  maxInboundStreams: 20_000,
  maxOutboundStreams: 20_000
}

export interface Pair {
  readonly client: Session.SessionService
  readonly server: Session.SessionService
}

export interface Plant {
  readonly proxy: Proxy
  /** Connects anew: both ends of one connection, for as long as the scope is open. */
  readonly connect: Effect.Effect<Pair, Error, Scope.Scope>
}

export const makePlant = Effect.fn("soak/makePlant")(function* (
  heartbeat: SessionOptions["heartbeat"] = QUICK
): Effect.fn.Return<Plant, Error, Scope.Scope> {
  const options = { ...OPTIONS, heartbeat }
  const listener = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, options)
  let arrived = yield* Deferred.make<Session.SessionService>()
  yield* Effect.forkScoped(
    listener.run((session) => Effect.zipRight(Deferred.succeed(arrived, session), session.serve(handle)))
  )
  const proxy = yield* makeProxy(listener.address._tag === "TcpAddress" ? listener.address.port : 0)
  const connect = Effect.gen(function* () {
    arrived = yield* Deferred.make<Session.SessionService>()
    const transport = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port: proxy.port })
    const client = yield* Session.fromTransport(transport, { ...options, role: "client" })
    // it accepts as well as it opens
    yield* Effect.forkScoped(client.serve(handle))
    return { client, server: yield* Deferred.await(arrived) }
  })
  return { proxy, connect }
})
