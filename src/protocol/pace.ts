/**
 * How fast a stream is consumed, and how its window follows that. Synchronous and total; times are in milliseconds.
 *
 * @since 0.1.0
 */

/** Over less than this nothing is measured: time comes in by the chunk. */
const SHORTEST_SPAN = 1

/** So many spans in a row must ask for a larger window: a stall of this process looks like a long round trip, once. */
const SPANS_TO_GROW = 2

/**
 * Watches one stream that was granted credit.
 *
 * @since 0.1.0
 * @category models
 */
export class Pace {
  private bytes = 0
  private spans = 0
  /** What may still come before the grant that is timed is made use of. */
  private ahead: number | undefined = undefined
  private grantedAt = 0

  /** The present span began at `since`. */
  constructor(private since: number) {}

  /** `increment` bytes were consumed and granted again, while the peer had credit for `left` bytes. */
  granted(increment: number, left: number, now: number): void {
    this.bytes += increment
    if (this.ahead !== undefined) return
    this.ahead = left
    this.grantedAt = now
  }

  /** Bytes arrived. Gives a round trip, if these are the first that needed the grant that is timed; it may be too long. */
  arrived(length: number, now: number): number | undefined {
    if (this.ahead === undefined) return undefined
    this.ahead -= length
    if (this.ahead >= 0) return undefined
    this.ahead = undefined
    return now - this.grantedAt
  }

  /** The bytes that are consumed in a millisecond, once in a while: at least after a round trip. */
  rate(roundTrip: number, now: number): number | undefined {
    const span = now - this.since
    if (span < Math.max(roundTrip, SHORTEST_SPAN)) return undefined
    const rate = this.bytes / span
    this.since = now
    this.bytes = 0
    return rate
  }

  /** What a window of `size` bytes becomes where one of `wanted` bytes would be right, now that its rate was taken. */
  next(size: number, wanted: number): number {
    this.spans = wanted > size ? this.spans + 1 : 0
    return this.spans < SPANS_TO_GROW ? size : Math.min(wanted, 2 * size)
  }
}
