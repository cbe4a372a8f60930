/** The options of a simulated connection, and their form for its links. */
import * as Duration from "effect/Duration"
import type { Faults } from "./faults.js"
import { checkFaults } from "./faults.js"
import type { LinkOptions } from "./link.js"
import type { TraceOptions } from "./trace.js"

/**
 * Options of the connection. Each one applies to each direction separately.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The one-way delay of a byte. A number is milliseconds. Default: 0.
   */
  readonly latency?: Duration.DurationInput | undefined
  /**
   * The maximum additional delay: each write gets a random delay of up to this. No write overtakes another. A number is
   * milliseconds. Default: 0.
   */
  readonly jitter?: Duration.DurationInput | undefined
  /**
   * The link stalls once in each period of `every`, at a random moment, for a random time of at most `upTo`. Bytes that
   * would arrive during a stall arrive at its end, in order. Numbers are milliseconds, and 0 < `upTo` <= `every`.
   * Default: no stalls.
   */
  readonly stalls?:
    | {
        /** The length of a period with one stall. */
        readonly every: Duration.DurationInput
        /** The longest stall; at most `every`. */
        readonly upTo: Duration.DurationInput
      }
    | undefined
  /**
   * The speed of each direction, in bytes per second, above 0. Default: `Infinity`, no limit.
   */
  readonly bandwidth?: number | undefined
  /**
   * The bytes that one `read` returns. Default: `"whole"`.
   *
   * - `"whole"`: one write, or the part of it that fitted into the buffer
   * - `"byte"`: one byte
   * - `"joined"`: all bytes that have arrived, also of several writes
   * - `{ min, max }`: a random number of bytes from `min` to `max`, with 0 < `min` <= `max`. It is less only at the end
   *   of a write or, if `joined` is true, if fewer bytes have arrived
   */
  readonly chunking?:
    | "whole"
    | "byte"
    | "joined"
    | {
        /** The minimum of bytes in a chunk, 1 or more. */
        readonly min: number
        /** The maximum of bytes in a chunk. */
        readonly max: number
        /** Whether a chunk may have bytes of several writes. Default: false. */
        readonly joined?: boolean | undefined
      }
    | undefined
  /**
   * The seed of all random values: chunking, jitter, stalls, and the masks of corrupted bytes. Of a whole number, only
   * the lower 32 bits count. Default: 0.
   */
  readonly seed?: number | undefined
  /**
   * The number of bytes in transit or unread at which a `write` suspends, at least 1. To use the full bandwidth, it
   * must be more than bandwidth times latency. Default: 65,536 (64 KiB).
   */
  readonly bufferSize?: number | undefined
  /**
   * Faults that start now, or at a later time that they name. `Pair.inject` adds faults at any moment. Default: none.
   */
  readonly faults?: Faults | undefined
  /**
   * Options of the trace. Default: it keeps the last 10,000 events, without their bytes.
   */
  readonly trace?: TraceOptions | undefined
}

/** Throws a `RangeError` for an option that is out of range. */
export const resolveOptions = (options: Options) => {
  const { bandwidth = Infinity, bufferSize = 64 * 1024, chunking = "whole", faults = {}, seed = 0 } = options
  if (!(bandwidth > 0)) throw new RangeError(`bandwidth must be more than 0 bytes per second: ${bandwidth}`)
  if (!(Number.isInteger(bufferSize) && bufferSize > 0)) {
    throw new RangeError(`bufferSize must be a whole number of bytes, at least 1: ${bufferSize}`)
  }
  checkFaults(faults)
  const link: LinkOptions = {
    latency: Duration.toMillis(options.latency ?? 0),
    jitter: finite("jitter", options.jitter ?? 0),
    stalls: stallsOf(options.stalls),
    bandwidth: bandwidth / 1000,
    chunking: boundsOf(chunking),
    joined: chunking === "joined" || (typeof chunking === "object" && chunking.joined === true),
    bufferSize,
    seed
  }
  return { link, faults, trace: traceOf(options.trace ?? {}) }
}

const boundsOf = (chunking: NonNullable<Options["chunking"]>): LinkOptions["chunking"] => {
  if (chunking === "whole" || chunking === "joined") return undefined
  if (chunking === "byte") return { min: 1, max: 1 }
  const { max, min } = chunking
  if (!([min, max].every(Number.isInteger) && 0 < min && min <= max)) {
    throw new RangeError(`min and max of chunking must be whole numbers of bytes with 0 < min <= max: ${min} to ${max}`)
  }
  return { min, max }
}

const stallsOf = (stalls: Options["stalls"]): LinkOptions["stalls"] => {
  if (stalls === undefined) return undefined
  const [every, upTo] = [finite("stalls", stalls.every), finite("stalls", stalls.upTo)]
  if (!(0 < upTo && upTo <= every)) throw new RangeError(`stalls must have 0 < upTo <= every: ${upTo} and ${every} ms`)
  return { every, upTo }
}

const traceOf = ({ bytes = false, limit = bytes ? Infinity : 10_000 }: TraceOptions) => {
  if (limit !== Infinity && !(Number.isInteger(limit) && limit >= 0)) {
    throw new RangeError(`the limit of a trace must be a whole number of events, at least 0: ${limit}`)
  }
  return { bytes, limit }
}

/** In milliseconds. */
const finite = (name: string, input: Duration.DurationInput): number => {
  const millis = Duration.toMillis(input)
  if (millis === Infinity) throw new RangeError(`${name} must be finite`)
  return millis
}
