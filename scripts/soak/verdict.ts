/** Whether something grew that must not. */
import type { Idle } from "./idle.js"
import type { Line } from "./regression.js"
import { regress } from "./regression.js"
import type { Sample } from "./sample.js"

const MILLION = 1_000_000

/**
 * What the heap may grow by in a million streams, in bytes: one byte for each. The smallest thing that could stay of a
 * stream, a number in a table, is 16 times that; what the engine still learns after half a million is less.
 */
export const SLOPE_BOUND = 1024 * 1024

/** What may stay of each idle stream, in bytes: less than an object with a few fields takes. */
export const IDLE_BOUND = 64

/** What a heap may differ by for other reasons, in bytes. */
const NOISE = 512 * 1024

/** Clients begin with stream 3: that 1 was left out is the one gap that a server remembers. */
const GAPS = 1

export interface Verdict {
  /** Of the heap, over the second half of the samples: bytes for a million streams. */
  readonly line: Line
  /** The samples that it was fitted to. */
  readonly from: number
  readonly faults: ReadonlyArray<string>
}

export const judge = (samples: ReadonlyArray<Sample>, idle: Idle | undefined): Verdict => {
  const from = Math.floor(samples.length / 2)
  const line = regress(samples.slice(from).map(({ heapUsed, streams }) => [streams / MILLION, heapUsed]))
  const faults: Array<string> = []
  if (line.slope - line.margin > SLOPE_BOUND) {
    faults.push(`the heap grows by ${Math.round(line.slope)} bytes in a million streams, or not much less`)
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
