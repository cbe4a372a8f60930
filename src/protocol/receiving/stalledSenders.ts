/**
 * Streams whose peer may have run out of credit, and since when. Synchronous and total.
 *
 * Wire: `docs/PROTOCOL.md`, section 4.
 *
 * @since 0.1.0
 */
import { DeadlineQueue } from "../collections/deadlineQueue.js"

/** How long a buffer stays empty before what is due is granted although it is little, in milliseconds. */
const DELAY = 10

/**
 * The same where the peer has credit left for all that is known: a busy stream of short messages must not set a timer
 * for each of them, but a peer that keeps its last bytes of credit for larger ones must not wait for ever either.
 */
const DELAY_WITH_CREDIT = 200

/**
 * Says when a stream that fell silent has been so for long enough.
 *
 * @since 0.1.0
 * @category models
 */
export class StalledSenders<K> {
  private readonly soon = new DeadlineQueue<K>(DELAY)
  private readonly later = new DeadlineQueue<K>(DELAY_WITH_CREDIT)

  /** The buffer of a stream has run empty; `hasCredit` where its peer is known to have some left. */
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

  /** When the first stream has been silent for long enough; `Infinity` when there is none. */
  next(): number {
    return Math.min(this.soon.next(), this.later.next())
  }

  /** Removes and returns the streams that have been silent for long enough. */
  takeDue(now: number): ReadonlyArray<K> {
    return [...this.soon.takeDue(now), ...this.later.takeDue(now)]
  }
}
