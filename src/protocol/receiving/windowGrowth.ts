/**
 * How fast a stream is consumed, and how its window follows that. Synchronous and total; times are in milliseconds.
 *
 * @since 0.1.0
 */

/** Over less than this nothing is measured: time comes in by the chunk. */
const SHORTEST_SPAN = 1

/** So many spans in a row must ask for a larger window: a stall of this process looks like a long round trip, once. */
const SPANS_TO_GROW = 2

/** A stream is held back by its window where twice what it takes in a round trip is about twice the window. */
const HELD_BACK = 1.5

/** So many times the window, and doubling it is too slow a way to get there. */
const FAR = 3

/**
 * Watches one stream that was granted credit.
 *
 * @since 0.1.0
 * @category models
 */
export class WindowGrowth {
  private bytes = 0
  private spans = 0
  /** The window has just grown: the present span is too early for what that makes of the rate. */
  private settling = false
  /** The window that would have been right in the last span. */
  private before = 0
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

  /**
   * What a window of `size` bytes becomes where one of `wanted` bytes would be right, now that its rate was taken: twice
   * that at most, or four times where the session has had use for windows of `known` bytes.
   */
  next(size: number, wanted: number, known: number): number {
    if (wanted > size) this.spans++
    else if (!this.settling) this.spans = 0
    // a span may have a grant too few or too many
    const most = Math.max(wanted, this.before)
    const leaps = most >= HELD_BACK * size && known >= FAR * size
    const step = leaps ? Math.min(known, 2 * most, 4 * size) : Math.min(wanted, 2 * size)
    const grown = this.spans < SPANS_TO_GROW ? size : Math.max(size, step)
    this.settling = grown > size
    this.before = wanted
    return grown
  }
}
