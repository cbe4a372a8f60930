/**
 * A simulated connection: two transports in memory, with latency, bandwidth, chunking, small buffers and faults. Time
 * comes from Effect's `Clock`, and all random values come from a seed. So a run under `TestClock` is reproducible.
 *
 * @module
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TransportService } from "../Transport.js"
import { Runner } from "../internal/support/run.js"
import { simulate } from "../internal/transport/simulated.js"
import { closingOn } from "./internal/closing.js"
import { makeEndpoint, timeOf } from "./internal/endpoint.js"
import type { Faults } from "./internal/faults.js"
import { applyFaults, checkFaults, describeFaults } from "./internal/faults.js"
import { makeLink } from "./internal/link.js"
import type { Options } from "./internal/options.js"
import { resolveOptions } from "./internal/options.js"
import type { Replay, ReplayOptions } from "./internal/replay.js"
import { makeReplay } from "./internal/replay.js"
import type { Direction, Trace } from "./internal/trace.js"
import * as trace from "./internal/trace.js"
import { makeWaits } from "./internal/waits.js"
import { Wakes } from "./internal/wakes.js"

// --- models
// -----------------------------------------------------------------------------------------------------------

export type { Options } from "./internal/options.js"

export type { Faults, DirectionFaults, SideFaults, Corruption, When } from "./internal/faults.js"

export type { Trace, TraceEvent, TraceEventName, TraceOptions, Direction } from "./internal/trace.js"

export type { Replay, ReplayOptions } from "./internal/replay.js"

/**
 * The bytes that one direction has carried.
 *
 * @since 0.1.0
 * @category models
 */
export interface DirectionStats {
  /**
   * Bytes that the link has accepted from the writer.
   */
  readonly written: number
  /**
   * Bytes that the reader has read. The other written bytes are in transit, unread or lost.
   */
  readonly read: number
}

/**
 * Both sides of a simulated connection, and its faults. A fault is permanent. It starts at once, unless it names a
 * later time or byte.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pair {
  /**
   * The client's transport. An interrupted `write` has sent a prefix of its bytes (none, some or all), and each of
   * these arrives once. The link copies bytes when it accepts them. The memory of a chunk that is read belongs to its
   * reader. If the argument of `write` is not an array of `Uint8Array`s, it fails with `TransportFailed` (`"Write"`).
   * Its `cause` is a `TypeError` that describes the argument.
   */
  readonly client: TransportService
  /**
   * The server's transport. The same holds as for the client's.
   */
  readonly server: TransportService
  /**
   * Resets the connection: reads fail with `"Read"`, even if bytes are unread, and writes fail with `"Write"`.
   */
  readonly cut: Effect.Effect<void>
  /**
   * Loses the connection without an error. All bytes that have not arrived are lost, and so are later ones. Reads of
   * them hang, writes suspend when the buffer is full, `end` does not complete, and the peer does not notice a
   * `destroy`. A `destroy` of the own side, or `cut`, ends these waits.
   */
  readonly blackHole: Effect.Effect<void>
  /**
   * From now on `write` accepts no bytes, and suspends until its side is destroyed or the connection is cut.
   */
  readonly stallWrites: Effect.Effect<void>
  /**
   * From now on `end` sends nothing and never completes, even after `destroy`.
   */
  readonly neverEnd: Effect.Effect<void>
  /**
   * Injects faults. A `When` is relative to now. A fault that is out of range is a defect (`RangeError`).
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { SimulatedTransport } from "effect-muxado/testing"
   *
   * const halfOpen = (link: SimulatedTransport.Pair): Effect.Effect<void> =>
   *   link.inject({ serverToClient: { blackHole: true } })
   * ```
   */
  readonly inject: (faults: Faults) => Effect.Effect<void>
  /**
   * The bytes that each direction has carried.
   */
  readonly stats: Effect.Effect<{ readonly [Way in Direction]: DirectionStats }>
  /**
   * The events so far. The option `trace` limits how many are kept.
   */
  readonly trace: Effect.Effect<Trace>
}

// --- pairs
// ------------------------------------------------------------------------------------------------------------

/**
 * Makes both sides of a simulated connection. They are destroyed when the scope closes. An option that is out of range
 * is a defect (`RangeError`).
 *
 * A `destroy` reaches the peer after the latency, as a reset. The peer reads the bytes ahead of the reset, and then its
 * reads fail with `"Read"`. A `destroy` after an `end` does not change that end: all written bytes arrive, then
 * `"Ended"`.
 *
 * Under `TestClock`, a session over the connection closes without help from the test: while its scope closes, or a
 * finalizer closes or drains it, time advances by itself if the clock has not moved for about 50 ms of real time. If
 * the clock does not move for 1 second of real time while an operation waits for time, a warning lists the waiting
 * operations. Each connection logs it once.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { SimulatedTransport } from "effect-muxado/testing"
 *
 * const program = Effect.gen(function* () {
 *   const link = yield* SimulatedTransport.makePair({
 *     latency: "20 millis",
 *     jitter: "5 millis",
 *     chunking: { min: 1, max: 9 },
 *     seed: 7,
 *     faults: { clientToServer: { cutAt: 1000 }, server: { neverEnd: "5 seconds" } }
 *   })
 *   yield* link.client.write([new TextEncoder().encode("hello")])
 *   return yield* link.server.read
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makePair = (options: Options = {}): Effect.Effect<Pair, never, Scope.Scope> =>
  Effect.gen(function* () {
    const resolved = yield* Effect.sync(() => resolveOptions(options))
    const clock = yield* Effect.clock
    const withNow = timeOf(clock)
    const waits = makeWaits(clock, yield* Runner.current())

    const recorder = trace.makeRecorder(resolved.link.seed, resolved.trace)
    const wakes = new Wakes()
    const onCut = (at: number): void => links.forEach((link) => link.reset(at))
    const events = { toServer: recorder.of("clientToServer"), toClient: recorder.of("serverToClient") }
    const clientToServer = makeLink(resolved.link, { record: events.toServer, onCut, wakes })
    const serverToClient = makeLink(
      { ...resolved.link, seed: resolved.link.seed + 1 },
      { record: events.toClient, onCut, wakes }
    )
    const links = [clientToServer, serverToClient]
    const client = makeEndpoint(clientToServer, serverToClient, events.toServer, withNow, waits.of("client"), wakes)
    const server = makeEndpoint(serverToClient, clientToServer, events.toClient, withNow, waits.of("server"), wakes)

    const inject = (faults: Faults): Effect.Effect<void> =>
      withNow((now) =>
        Effect.sync(() => {
          checkFaults(faults)
          for (const { detail, direction } of describeFaults(faults)) {
            recorder.record(now, direction, "fault", undefined, detail)
          }
          applyFaults({ clientToServer, serverToClient, client: client.hangs, server: server.hangs }, faults, now)
          for (const endpoint of [client, server]) endpoint.release()
          wakes.flush()
        })
      )
    yield* inject(resolved.faults)
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(
        Effect.zipRight(client.drop, server.drop),
        Effect.sync(() => waits.close())
      )
    )
    const whileClosing = closingOn(clock)
    simulate(client, { whileClosing, carries: (session) => waits.carries("client", session) })
    simulate(server, { whileClosing, carries: (session) => waits.carries("server", session) })

    const bothWays = <A>(faults: A) => ({ clientToServer: faults, serverToClient: faults })
    return {
      client: transportOf(client),
      server: transportOf(server),
      cut: inject({ cut: true }),
      blackHole: inject(bothWays({ blackHole: true })),
      stallWrites: inject(bothWays({ stallWrites: true })),
      neverEnd: inject({ client: { neverEnd: true }, server: { neverEnd: true } }),
      inject,
      stats: Effect.sync(() => ({ clientToServer: clientToServer.stats(), serverToClient: serverToClient.stats() })),
      trace: Effect.sync(() => recorder.trace())
    }
  })

const transportOf = ({ destroy, end, read, write }: TransportService): TransportService => ({
  read,
  write,
  end,
  destroy
})

// --- traces
// -----------------------------------------------------------------------------------------------------------

/**
 * Formats a trace as text, with one line for each event.
 *
 * @example
 * ```ts
 * import { Console, Effect } from "effect"
 * import { SimulatedTransport } from "effect-muxado/testing"
 *
 * const program = Effect.gen(function* () {
 *   const link = yield* SimulatedTransport.makePair({ latency: "20 millis", trace: { bytes: true } })
 *   yield* link.client.write([new TextEncoder().encode("hello")])
 *   yield* link.server.read
 *   yield* Console.log(SimulatedTransport.printTrace(yield* link.trace))
 *   //         0 ms  client -> server  write      5 bytes  68656c6c6f
 *   //        20 ms  client -> server  read       5 bytes  68656c6c6f
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category traces
 */
export const printTrace: (trace: Trace) => string = trace.printTrace

/**
 * Makes a transport that replays what was read in one direction of a trace: the same chunks, at the same times, with
 * the same end. Use it to turn a random failure into a reproducible test. The transport records what is written to it,
 * and does not answer. It is destroyed when the scope closes.
 *
 * The trace must have all events, with their bytes (`trace: { bytes: true }`). Otherwise it is a defect (`RangeError`).
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { SimulatedTransport } from "effect-muxado/testing"
 *
 * const program = (trace: SimulatedTransport.Trace) =>
 *   Effect.gen(function* () {
 *     const { transport } = yield* SimulatedTransport.replay(trace, { direction: "clientToServer" })
 *     return yield* transport.read
 *   }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category traces
 */
export const replay: (trace: Trace, options: ReplayOptions) => Effect.Effect<Replay, never, Scope.Scope> = makeReplay
