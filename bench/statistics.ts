/** The summary of repeated measurements. */

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
  /** The middle half: a quarter of the values is below, a quarter above. */
  readonly low: number
  readonly high: number
  readonly values: ReadonlyArray<number>
}

/** Between the values where the quantile falls between two. */
const quantile = (sorted: ReadonlyArray<number>, q: number): number => {
  const at = q * (sorted.length - 1)
  const below = sorted[Math.floor(at)] ?? NaN
  const above = sorted[Math.ceil(at)] ?? NaN
  return below + (above - below) * (at - Math.floor(at))
}

export const summarize = (values: ReadonlyArray<number>): Summary => {
  const sorted = [...values].sort((a, b) => a - b)
  return {
    median: quantile(sorted, 0.5),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
    values
  }
}

export interface Ratio {
  /** Above 1 is better for us. */
  readonly value: number
  /** The middle halves of the two overlap: who is better is not known. */
  readonly drowned: boolean
}

export const compare = (ours: Summary, peer: Summary, better: "more" | "less"): Ratio => ({
  value: better === "more" ? ours.median / peer.median : peer.median / ours.median,
  drowned: ours.low <= peer.high && peer.low <= ours.high
})
