/** What a simulated connection is like, as its users say it, and as its links take it. */
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
   * How long a byte is on its way, one way. Default: none.
   */
  readonly latency?: Duration.DurationInput | undefined
  /**
   * How much longer than `latency` a write may be on its way: for each a random time up to this, but never so that
   * it would overtake another. Default: none.
   */
  readonly jitter?: Duration.DurationInput | undefined
  /**
   * The link stands still now and then: once in every stretch of `every`, at a random moment, for a random time up to
   * `upTo`. What would arrive meanwhile arrives at the end of it, in order. Default: never.
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
   * Bytes per second. Default: no limit.
   */
  readonly bandwidth?: number | undefined
  /**
   * What one `read` gives. `"whole"`: a write, or as much of it as fitted into the buffer at once. `"byte"`: one byte.
   * `"joined"`: all that has arrived, of however many writes. Bounds: a random number of bytes between the two, less
   * only at the end of a write or, with `joined`, where no more has arrived. Default: `"whole"`.
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
   * What everything random is derived from: chunking, jitter, stalls, and what bytes are corrupted with. Default: 0.
   */
  readonly seed?: number | undefined
  /**
   * The bytes that may be on their way or unread before a `write` suspends. The link is only filled when this is more
   * than bandwidth times latency. Default: 64 KiB.
   */
  readonly bufferSize?: number | undefined
  /**
   * What goes wrong from the start, or by itself later on; `Pair.inject` does the same at any moment. Default: nothing.
   */
  readonly faults?: Faults | undefined
  /**
   * What is kept of what happened. Default: the last 10,000 events, without their bytes.
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

const finite = (name: string, input: Duration.DurationInput): number => {
  const millis = Duration.toMillis(input)
  if (millis === Infinity) throw new RangeError(`${name} must not last for ever`)
  return millis
}
