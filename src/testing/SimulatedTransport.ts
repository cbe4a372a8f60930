/**
 * A connection without a network: two transports in memory, with latency, a bandwidth, arbitrary chunking, small buffers
 * and faults. Time is Effect's `Clock` and randomness a seed, so that under `TestClock` a run repeats itself exactly.
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

// --- models -----------------------------------------------------------------------------------------------------------

export type { Options } from "./internal/options.js"

export type { Faults, DirectionFaults, SideFaults, Corruption, When } from "./internal/faults.js"

export type { Trace, TraceEvent, TraceEventName, TraceOptions, Direction } from "./internal/trace.js"

export type { Replay, ReplayOptions } from "./internal/replay.js"

/**
 * What has passed in one direction, in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface DirectionStats {
  /**
   * Bytes that the writer handed over.
   */
  readonly written: number
  /**
   * Bytes that the reader took; the rest is on its way, unread or lost.
   */
  readonly read: number
}

/**
 * Both ends of a simulated connection, and what can go wrong with it. Every fault takes effect at once, unless it says
 * when, and stays.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pair {
  /**
   * As of any transport; in particular, an interrupted `write` has handed over a prefix of its bytes (all, some or none
   * of them), each of which arrives once. The link copies bytes when it accepts them, and a chunk that is read is the
   * reader's own. A `write` of anything but an array of `Uint8Array`s fails with `TransportFailed` (`"Write"`), whose
   * `cause` is a `TypeError` that names what was given.
   */
  readonly client: TransportService
  /** As `client`, for the other side. */
  readonly server: TransportService
  /**
   * The connection is reset: reads fail with `"Read"`, unread bytes or not, and writes with `"Write"`.
   */
  readonly cut: Effect.Effect<void>
  /**
   * The connection is lost without an error: bytes vanish, those on their way too, reads of what had not arrived hang,
   * writes suspend once the buffer is full, `end` does not complete, and a `destroy` is not noticed by the peer. A
   * `destroy` or `cut` ends the waiting.
   */
  readonly blackHole: Effect.Effect<void>
  /**
   * A `write` takes no more bytes, and suspends until the transport is destroyed or cut.
   */
  readonly stallWrites: Effect.Effect<void>
  /**
   * An `end` from now on sends nothing and never completes, not even after `destroy`.
   */
  readonly neverEnd: Effect.Effect<void>
  /**
   * Any faults, from now on; a `When` counts from now. One out of range is a defect (`RangeError`).
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
  /** What has passed so far. */
  readonly stats: Effect.Effect<{ readonly [Way in Direction]: DirectionStats }>
  /**
   * What has happened so far, as much of it as the option `trace` keeps.
   */
  readonly trace: Effect.Effect<Trace>
}

// --- pairs ------------------------------------------------------------------------------------------------------------

/**
 * Makes both ends of a simulated connection, which are destroyed when the scope closes. An option out of range is a
 * defect (`RangeError`).
 *
 * A `destroy` reaches the peer after the latency: it still reads what is ahead of the reset, then fails with `"Read"`. An
 * orderly `end` is not undone by a `destroy` after it: all that was written arrives, then `"Ended"`.
 *
 * Under `TestClock`, sessions over the connection close by themselves: while a session's scope closes, or a finalizer
 * closes or drains the session, time passes wherever the clock stands still for about 50 ms of real time. Where the clock
 * stands still for a second while an operation waits for time, one warning says what waits.
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

// --- traces -----------------------------------------------------------------------------------------------------------

/**
 * The trace for a person to read, a line for each event.
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
 * A transport that gives again what was read from one direction of a trace, in the same chunks, at the same times, with
 * the same end: a failure that was found by chance becomes a test that is always the same. What is written to it is
 * kept, and gets no answer.
 *
 * The trace must have all events, with their bytes (`trace: { bytes: true }`); otherwise it is a defect (`RangeError`).
 * The transport is destroyed when the scope closes.
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
