/** The options of a simulated connection: what users give, and what its links take. */
import * as Duration from "effect/Duration"
import type { Faults } from "./faults.js"
import { checkFaults } from "./faults.js"
import type { LinkOptions } from "./link.js"
import type { TraceOptions } from "./trace.js"

/**
 * What the connection is like; every setting holds for each direction by itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * How long a byte is on its way, in one direction. A number is milliseconds. Default: 0.
   */
  readonly latency?: Duration.DurationInput | undefined
  /**
   * How much longer than `latency` a write may be on its way: a random time up to this for each write. No write
   * overtakes another. A number is milliseconds. Default: 0.
   */
  readonly jitter?: Duration.DurationInput | undefined
  /**
   * Times in which nothing arrives: once in every stretch of `every`, at a random moment, for a random time up to
   * `upTo`. What would arrive in such a time arrives at its end, in order. Numbers are milliseconds, and 0 < `upTo` <=
   * `every`. Default: none.
   */
  readonly stalls?:
    | {
        /** The length of a stretch in which the link stands still once. */
        readonly every: Duration.DurationInput
        /** How long it stands still at most; not more than `every`. */
        readonly upTo: Duration.DurationInput
      }
    | undefined
  /**
   * How fast each direction carries bytes, in bytes per second, above 0. Default: `Infinity`, no limit.
   */
  readonly bandwidth?: number | undefined
  /**
   * What one `read` gives. Default: `"whole"`.
   *
   * - `"whole"`: the bytes of one write, or the part of them that went into the buffer at once
   * - `"byte"`: one byte
   * - `"joined"`: all bytes that have arrived, of any number of writes
   * - `min` and `max`, in bytes, 0 < `min` <= `max`: a random number of bytes between the two. It is less at the end of
   *   a write or, if `joined` is true (default: false), where no more bytes have arrived
   */
  readonly chunking?:
    | "whole"
    | "byte"
    | "joined"
    | {
        /** The least bytes of a chunk, 1 or more. */
        readonly min: number
        /** The most bytes of a chunk. */
        readonly max: number
        /** A chunk may hold the bytes of more than one write. Default: false. */
        readonly joined?: boolean | undefined
      }
    | undefined
  /**
   * Decides all that is random: chunking, jitter, stalls, and how bytes are corrupted. Of a whole number its lower 32
   * bits count. Default: 0.
   */
  readonly seed?: number | undefined
  /**
   * How many bytes may be on their way or unread in each direction before a `write` suspends, at least 1. If this is
   * less than bandwidth times latency, the link never carries as much as its bandwidth. Default: 65,536 (64 KiB).
   */
  readonly bufferSize?: number | undefined
  /**
   * What goes wrong from the start, or at a later time that it names; `Pair.inject` does the same at any moment.
   * Default: nothing.
   */
  readonly faults?: Faults | undefined
  /**
   * Which events the trace keeps. Default: the last 10,000 events, without their bytes.
   */
  readonly trace?: TraceOptions | undefined
}

/** Throws a `RangeError` for what makes no sense. */
export const resolveOptions = (options: Options) => {
  const { bandwidth = Infinity, bufferSize = 64 * 1024, chunking = "whole", faults = {}, seed = 0 } = options
  if (!(bandwidth > 0)) throw new RangeError(`bandwidth must be above 0 bytes per second: ${bandwidth}`)
  if (!(Number.isInteger(bufferSize) && bufferSize > 0)) {
    throw new RangeError(`bufferSize must be a whole number of bytes above 0: ${bufferSize}`)
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
    throw new RangeError(`chunking needs whole numbers of bytes, 0 < min <= max: ${min} to ${max}`)
  }
  return { min, max }
}

const stallsOf = (stalls: Options["stalls"]): LinkOptions["stalls"] => {
  if (stalls === undefined) return undefined
  const [every, upTo] = [finite("stalls", stalls.every), finite("stalls", stalls.upTo)]
  if (!(0 < upTo && upTo <= every)) throw new RangeError(`stalls need 0 < upTo <= every: ${upTo} and ${every} ms`)
  return { every, upTo }
}

const traceOf = ({ bytes = false, limit = bytes ? Infinity : 10_000 }: TraceOptions) => {
  if (limit !== Infinity && !(Number.isInteger(limit) && limit >= 0)) {
    throw new RangeError(`the limit of a trace must be a whole number of events: ${limit}`)
  }
  return { bytes, limit }
}

/** In milliseconds. */
const finite = (name: string, input: Duration.DurationInput): number => {
  const millis = Duration.toMillis(input)
  if (millis === Infinity) throw new RangeError(`${name} must be finite`)
  return millis
}
