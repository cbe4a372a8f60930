/**
 * How fast a stream is consumed, and what window that would fill. Synchronous and total; times are in milliseconds.
 *
 * @since 0.1.0
 */

/** Over less than this nothing is measured: time comes in by the chunk. */
const SHORTEST_SPAN = 1

/** So many spans in a row must ask for a larger window: a stall of this process looks like a long round trip, once. */
const SPANS_TO_GROW = 2

/**
 * Watches one stream that was granted credit. A window that is consumed within a round trip holds its sender back; one
 * of twice the bytes that are consumed in a round trip does not, and a larger one would only fill buffers.
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

  /** The window that the stream should have, now that it has one of `size` bytes: at most twice as much. */
  wanted(size: number, roundTrip: number, now: number): number {
    const span = now - this.since
    if (span < Math.max(roundTrip, SHORTEST_SPAN)) return size
    const filled = Math.ceil((2 * this.bytes * roundTrip) / span)
    this.since = now
    this.bytes = 0
    this.spans = filled > size ? this.spans + 1 : 0
    return this.spans < SPANS_TO_GROW ? size : Math.min(filled, 2 * size)
  }
}
