/**
 * Two sessions over a simulated connection, for tests of programs that use sessions.
 *
 * @module
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { InvalidOptions } from "../MuxadoError.js"
import * as Session from "../Session.js"
import type { SessionOptions } from "../SessionOptions.js"
import type { TransportService } from "../Transport.js"
import * as SimulatedTransport from "./SimulatedTransport.js"

/**
 * The options of the connection and of its sessions.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Options of the connection. Default: no latency, no limit of its speed, no faults.
   */
  readonly link?: SimulatedTransport.Options | undefined
  /**
   * Options of both sessions. Default: those of `SessionOptions`.
   */
  readonly both?: SessionOptions | undefined
  /**
   * Options of the client's session. Each replaces the same option of `both`. Default: none.
   */
  readonly client?: SessionOptions | undefined
  /**
   * Options of the server's session. Each replaces the same option of `both`. Default: none.
   */
  readonly server?: SessionOptions | undefined
}

/**
 * Both sessions, and the connection between them with its faults and its trace.
 *
 * @since 0.1.0
 * @category models
 */
export interface SimulatedSessionsService {
  /**
   * The client's session.
   */
  readonly client: Session.SessionService
  /**
   * The server's session.
   */
  readonly server: Session.SessionService
  /**
   * The connection between them.
   */
  readonly link: SimulatedTransport.Pair
}

/**
 * The two sessions of a test.
 *
 * @since 0.1.0
 * @category tags
 */
export class SimulatedSessions extends Context.Tag("effect-muxado/testing/SimulatedSessions")<
  SimulatedSessions,
  SimulatedSessionsService
>() {}

/**
 * Makes both sessions and the connection. Fails with `InvalidOptions`. An option of the link that is out of range is a
 * defect (`RangeError`). The random numbers of the sessions, for example for heartbeats, come from the link's seed. The
 * random number of a `ping` comes from the `Random` service of its caller.
 *
 * When the scope closes, the server's session drains first, then the client's. Under `TestClock`, time advances by
 * itself meanwhile, if the clock has not moved for about 50 ms of real time. So a test needs no `TestClock.adjust` at
 * its end.
 *
 * @example
 * ```ts
 * import { MuxStream } from "effect-muxado"
 * import { SimulatedSessions } from "effect-muxado/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const { client, link, server } = yield* SimulatedSessions.make({
 *     link: { latency: "20 millis", seed: 7 },
 *     both: { heartbeat: { interval: "1 second", tolerance: "2 seconds" } }
 *   })
 *   yield* Effect.fork(server.serve((stream) => MuxStream.readAll(stream)))
 *   const stream = yield* client.open()
 *   yield* link.blackHole
 *   return yield* Effect.flip(MuxStream.readAll(stream)) // SessionDead, 3 seconds later
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<SimulatedSessionsService, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair(options.link)
    const seed = options.link?.seed ?? 0
    const client = yield* sessionOver("client", link.client, { ...options.both, ...options.client }, seed)
    const server = yield* sessionOver("server", link.server, { ...options.both, ...options.server }, seed)
    return { client, server, link }
  })

/**
 * Both sessions and the connection as a service; see `make`. All uses of one layer in a program share one pair. For
 * separate pairs, use `Layer.fresh`.
 *
 * @example
 * ```ts
 * import { MuxStream } from "effect-muxado"
 * import { SimulatedSessions } from "effect-muxado/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const { client, server } = yield* SimulatedSessions.SimulatedSessions
 *   yield* Effect.fork(server.serve((stream) => MuxStream.write(stream, new Uint8Array([1]))))
 *   return yield* client.withStream(MuxStream.readAll)
 * }).pipe(Effect.provide(SimulatedSessions.layer({ link: { chunking: "byte" } })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<SimulatedSessions, InvalidOptions> =>
  Layer.scoped(SimulatedSessions, make(options))

const sessionOver = (
  role: Session.Role,
  transport: TransportService,
  options: SessionOptions,
  seed: number
): Effect.Effect<Session.SessionService, InvalidOptions, Scope.Scope> =>
  Effect.withRandom(Session.fromTransport(transport, { ...options, role }), Random.make(`${role} ${seed}`))
