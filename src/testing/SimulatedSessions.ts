/**
 * Two sessions with a simulated connection between them, for tests of what runs over sessions.
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
 * The connection, and the options of its sessions; those of one side win over those of `both`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The connection. Default: without latency, limits or faults. */
  readonly link?: SimulatedTransport.Options | undefined
  /** The options of both sessions. Default: those of any session. */
  readonly both?: SessionOptions | undefined
  /** The client's own options, which win over `both`. */
  readonly client?: SessionOptions | undefined
  /** The server's own options, which win over `both`. */
  readonly server?: SessionOptions | undefined
}

/**
 * Both sessions, and the connection between them with its faults and its trace.
 *
 * @since 0.1.0
 * @category models
 */
export interface SimulatedSessionsService {
  /** The session of the side that dialled: its streams have odd ids. */
  readonly client: Session.SessionService
  /** The session of the side that listened: its streams have even ids. */
  readonly server: Session.SessionService
  /** The connection: its faults, its trace, and what has passed. */
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
 * Makes both sessions and the connection. Fails with `InvalidOptions`; an option of the link out of range is a defect
 * (`RangeError`). What the sessions draw at random, as for their heartbeats, comes from the link's seed too; what a
 * `ping` does is drawn by who calls it.
 *
 * When the scope closes, the sessions are drained, first the server's. Under `TestClock`, time then passes by itself
 * wherever the clock stands still for about 50 ms of real time; a test needs no `TestClock.adjust` for its end.
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
 * Both sessions and the connection as a service; what `make` says holds. Each use of the layer in a program is the same
 * pair, unless it is made `Layer.fresh`.
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
