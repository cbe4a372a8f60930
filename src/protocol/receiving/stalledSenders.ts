/**
 * Streams whose peer may have no credit left, with the time since when.
 *
 * Wire: `docs/PROTOCOL.md`, section 4.
 *
 * @since 0.1.0
 */
import { DeadlineQueue } from "../collections/deadlineQueue.js"

/** How long a buffer stays empty before its consumed bytes are granted, even if they are few, in milliseconds. */
const DELAY = 10

/**
 * The same if the peer seems to have credit left, in milliseconds. It is long, so that a stream of short messages does
 * not set a timer for each. It is finite, because a peer may hold back its last bytes of credit.
 */
const DELAY_WITH_CREDIT = 200

/**
 * Finds the streams that have been silent for `DELAY` or `DELAY_WITH_CREDIT`.
 *
 * @since 0.1.0
 * @category models
 */
export class StalledSenders<K> {
  private readonly soon = new DeadlineQueue<K>(DELAY)
  private readonly later = new DeadlineQueue<K>(DELAY_WITH_CREDIT)

  /** The buffer of a stream has become empty. `hasCredit` is true if its peer has credit left. */
  add(stream: K, hasCredit: boolean, now: number): void {
    if (hasCredit) {
      this.soon.delete(stream)
      this.later.add(stream, now)
    } else {
      this.later.delete(stream)
      this.soon.add(stream, now)
    }
  }

  delete(stream: K): void {
    this.soon.delete(stream)
    this.later.delete(stream)
  }

  clear(): void {
    this.soon.clear()
    this.later.clear()
  }

  /** The time at which the first stream has been silent for its delay; `Infinity` if there is none. */
  next(): number {
    return Math.min(this.soon.next(), this.later.next())
  }

  /** Removes and returns the streams that have been silent for their delay. */
  takeDue(now: number): ReadonlyArray<K> {
    return [...this.soon.takeDue(now), ...this.later.takeDue(now)]
  }
}
