/**
 * A connection without a network: two transports in memory, with latency, a bandwidth, arbitrary chunking, small buffers
 * and faults. Time is Effect's `Clock` and randomness a seed, so that under `TestClock` a run repeats itself exactly.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TransportService } from "../Transport.js"
import type { Faults } from "./internal/endpoint.js"
import { makeEndpoint } from "./internal/endpoint.js"
import type { Link, LinkOptions } from "./internal/link.js"
import { makeLink } from "./internal/link.js"

/**
 * What the connection is like; every setting holds for each direction by itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * How long a byte is on its way, one way. Default: none.
   */
  readonly latency?: Duration.DurationInput | undefined
  /**
   * Bytes per second. Default: no limit.
   */
  readonly bandwidth?: number | undefined
  /**
   * What one `read` gives: a whole write (as much of it as fitted into the buffer at once), a single byte, or a random
   * number of bytes between two bounds, less only at the end of a write. Default: `"whole"`.
   */
  readonly chunking?: "whole" | "byte" | { readonly min: number; readonly max: number } | undefined
  /**
   * What random chunking is derived from. Default: 0.
   */
  readonly seed?: number | undefined
  /**
   * The bytes that may be on their way or unread before a `write` suspends. The link is only filled when this is more
   * than bandwidth times latency. Default: 64 KiB.
   */
  readonly bufferSize?: number | undefined
}

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
 * Both ends of a simulated connection, and what can go wrong with it. Every fault takes effect at once, on both sides,
 * and stays.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pair {
  /**
   * As of any transport; in particular, an interrupted `write` has handed over a prefix of its bytes (all, some or none
   * of them), each of which arrives once.
   */
  readonly client: TransportService
  readonly server: TransportService
  /**
   * The connection is reset: reads fail with `"Read"`, unread bytes or not, and writes with `"Write"`.
   */
  readonly cut: Effect.Effect<void>
  /**
   * The connection is lost and nobody is told: bytes vanish, those on their way too, reads of what had not arrived hang,
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
  readonly stats: Effect.Effect<{ readonly clientToServer: DirectionStats; readonly serverToClient: DirectionStats }>
}

/**
 * Makes both ends of a simulated connection, which are destroyed when the scope closes. An option out of range is a
 * defect (`RangeError`).
 *
 * A `destroy` reaches the peer after the latency: it still reads what is ahead of the reset, then fails with `"Read"`. An
 * orderly `end` is not undone by a `destroy` after it: all that was written arrives, then `"Ended"`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { SimulatedTransport } from "effect-muxado/testing"
 *
 * const program = Effect.gen(function* () {
 *   const link = yield* SimulatedTransport.makePair({ latency: "20 millis", chunking: { min: 1, max: 9 }, seed: 7 })
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
    const linkOptions = yield* Effect.sync(() => toLinkOptions(options))
    const origin = yield* Clock.currentTimeMillis
    const withNow = <A, E>(f: (now: number) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.clockWith((clock) => f(clock.unsafeCurrentTimeMillis() - origin))

    const clientToServer = makeLink(linkOptions)
    const serverToClient = makeLink({ ...linkOptions, seed: linkOptions.seed + 1 })
    const links = [clientToServer, serverToClient]
    const onLinks = (f: (link: Link, now: number) => void): Effect.Effect<void> =>
      withNow((now) => Effect.sync(() => links.forEach((link) => f(link, now))))

    const faults: Faults = { stallWrites: false, neverEnd: false }
    const client = makeEndpoint(clientToServer, serverToClient, faults, withNow)
    const server = makeEndpoint(serverToClient, clientToServer, faults, withNow)
    yield* Effect.addFinalizer(() => Effect.zipRight(client.destroy, server.destroy))

    return {
      client,
      server,
      cut: Effect.zipRight(
        onLinks((link) => link.cut()),
        Effect.sync(() => [client, server].forEach((endpoint) => endpoint.release()))
      ),
      blackHole: onLinks((link, now) => link.lose(now)),
      stallWrites: Effect.sync(() => {
        faults.stallWrites = true
      }),
      neverEnd: Effect.sync(() => {
        faults.neverEnd = true
      }),
      stats: Effect.sync(() => ({ clientToServer: clientToServer.stats(), serverToClient: serverToClient.stats() }))
    }
  })

const toLinkOptions = (options: Options): LinkOptions => {
  const { bandwidth = Infinity, bufferSize = 64 * 1024, chunking = "whole", latency = 0, seed = 0 } = options
  const bounds = chunking === "whole" ? undefined : chunking === "byte" ? { min: 1, max: 1 } : chunking
  if (!(bandwidth > 0)) throw new RangeError(`bandwidth must be above 0 bytes per second: ${bandwidth}`)
  if (!(Number.isInteger(bufferSize) && bufferSize > 0)) {
    throw new RangeError(`bufferSize must be a whole number of bytes above 0: ${bufferSize}`)
  }
  if (
    bounds !== undefined &&
    !([bounds.min, bounds.max].every(Number.isInteger) && 0 < bounds.min && bounds.min <= bounds.max)
  ) {
    throw new RangeError(`chunking needs whole numbers of bytes, 0 < min <= max: ${bounds.min} to ${bounds.max}`)
  }
  return { latency: Duration.toMillis(latency), bandwidth: bandwidth / 1000, chunking: bounds, bufferSize, seed }
}
