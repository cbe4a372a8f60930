/** Decides whether something grew that must not grow. */
import type { Class } from "./classes.js"
import type { Idle } from "./idle.js"
import type { Line } from "./regression.js"
import { regress } from "./regression.js"
import type { Sample } from "./sample.js"

const MILLION = 1_000_000

/**
 * What the heap without its code may grow by in a million streams, in bytes: a quarter of a byte for each. The smallest
 * thing that could stay of a stream, a number in a table, is 64 times that.
 */
export const SLOPE_BOUND = 256 * 1024

/** Of no class of objects may one more be there for so many streams, some that come and go aside. */
export const STREAMS_PER_OBJECT = 1000
const PASSING = 100

/** What may stay of each idle stream, in bytes: less than an object with a few fields takes. */
export const IDLE_BOUND = 64

/** What a heap may differ by for other reasons, in bytes. */
const NOISE = 512 * 1024

/** Clients begin with stream 3: that 1 was left out is the one gap that a server remembers. */
const GAPS = 1

/** What became more between two snapshots. */
export interface Kept {
  /** Streams between the two. */
  readonly streams: number
  /** What there is more of, and less: `count` and `bytes` are differences. */
  readonly growth: ReadonlyArray<Class>
}

export interface Verdict {
  /** Of the heap without code, over the second half of the samples: bytes for a million streams. */
  readonly line: Line
  /** The samples that it was fitted to. */
  readonly from: number
  readonly faults: ReadonlyArray<string>
}

export const judge = (samples: ReadonlyArray<Sample>, idle?: Idle, kept?: Kept): Verdict => {
  const from = Math.floor(samples.length / 2)
  const line = regress(samples.slice(from).map(({ code, heapUsed, streams }) => [streams / MILLION, heapUsed - code]))
  const faults: Array<string> = []
  if (line.slope - line.margin > SLOPE_BOUND) {
    faults.push(`the heap grows by ${Math.round(line.slope)} bytes in a million streams, or not much less`)
  }
  for (const { count, name, ofEngine } of kept?.growth ?? []) {
    if (ofEngine || (count - PASSING) * STREAMS_PER_OBJECT <= (kept?.streams ?? 0)) continue
    faults.push(`${count} more of ${name} after ${kept?.streams ?? 0} more streams`)
  }
  faults.push(...grown("handles", samples, ({ handles }) => handles))
  faults.push(...grown("fibers", samples, ({ fibers }) => fibers))
  for (const { bytesHeld, gapsInIds, streams, streamsOpen } of samples) {
    if (streamsOpen + bytesHeld === 0 && gapsInIds <= GAPS) continue
    faults.push(`after ${streams} streams ${streamsOpen} are left, ${bytesHeld} bytes, ${gapsInIds} gaps in the ids`)
  }
  if (idle !== undefined && idle.after - idle.before > NOISE + IDLE_BOUND * idle.streams) {
    faults.push(`of ${idle.streams} idle streams ${idle.after - idle.before} bytes are left`)
  }
  return { line, from, faults }
}

/** More at the end than there ever was at the beginning. */
const grown = (what: string, samples: ReadonlyArray<Sample>, of: (sample: Sample) => number): ReadonlyArray<string> => {
  const quarter = Math.ceil(samples.length / 4)
  const most = (some: ReadonlyArray<Sample>) => Math.max(0, ...some.map(of))
  const [first, last] = [most(samples.slice(0, quarter)), most(samples.slice(-quarter))]
  return last > first ? [`${what}: at most ${first} at first, ${last} in the end`] : []
}
