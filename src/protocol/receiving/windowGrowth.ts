/**
 * Measures how fast a stream is consumed, and calculates its next window. Times are in milliseconds.
 *
 * @since 0.1.0
 */

/** The shortest span that is measured, because the time is only known for each chunk. */
const SHORTEST_SPAN = 1

/**
 * A window grows after this number of consecutive spans want a larger one. In one span alone, a stall of this process
 * may look like a long round trip.
 */
const SPANS_TO_GROW = 2

/** A window limits its sender if the wanted window is at least this many times as large. */
const HELD_BACK = 1.5

/** If the window that another stream needed is at least this many times as large, doubling is too slow. */
const FAR = 3

/**
 * Tracks one stream, from its first increment that is not short.
 *
 * @since 0.1.0
 * @category models
 */
export class WindowGrowth {
  private bytes = 0
  private spans = 0
  /** The window has just grown, so the current span does not show the new rate. */
  private settling = false
  /** The wanted window of the last span. */
  private before = 0
  /** The bytes that the peer may still send before it needs the timed grant; `undefined` if no grant is timed. */
  private ahead: number | undefined = undefined
  private grantedAt = 0

  /** The current span began at `since`. */
  constructor(private since: number) {}

  /** `increment` bytes were consumed and granted again. Before that the peer had credit for `left` bytes. */
  granted(increment: number, left: number, now: number): void {
    this.bytes += increment
    if (this.ahead !== undefined) return
    this.ahead = left
    this.grantedAt = now
  }

  /**
   * Bytes arrived. Returns a round trip if these are the first that needed the timed grant. It may be longer than the
   * true one.
   */
  arrived(length: number, now: number): number | undefined {
    if (this.ahead === undefined) return undefined
    this.ahead -= length
    if (this.ahead >= 0) return undefined
    this.ahead = undefined
    return now - this.grantedAt
  }

  /**
   * The consumed bytes per millisecond; `undefined` until the current span is as long as a round trip. Starts the next
   * span.
   */
  rate(roundTrip: number, now: number): number | undefined {
    const span = now - this.since
    if (span < Math.max(roundTrip, SHORTEST_SPAN)) return undefined
    const rate = this.bytes / span
    this.since = now
    this.bytes = 0
    return rate
  }

  /**
   * The next window, for one of `size` bytes if the last rate wants one of `wanted` bytes. At most twice `size`, or
   * four times if a faster stream of the session needed `known` bytes.
   */
  next(size: number, wanted: number, known: number): number {
    if (wanted > size) this.spans++
    else if (!this.settling) this.spans = 0
    // one span may contain one grant less or more
    const most = Math.max(wanted, this.before)
    const leaps = most >= HELD_BACK * size && known >= FAR * size
    const step = leaps ? Math.min(known, 2 * most, 4 * size) : Math.min(wanted, 2 * size)
    const grown = this.spans < SPANS_TO_GROW ? size : Math.max(size, step)
    this.settling = grown > size
    this.before = wanted
    return grown
  }
}
