/**
 * Writers whose last write was not fully accepted, and when each of them is woken.
 *
 * A writer waits for capacity of the session, or for credit from the peer (a WNDINC). If it has credit for only a few
 * bytes, it waits 5 ms for more.
 *
 * @since 0.1.0
 */
import { DeadlineQueue } from "../collections/deadlineQueue.js"
import type { EventQueue } from "../events.js"
import { StreamEvent } from "../events.js"
import type { StreamCore } from "../streams/streamCore.js"
import type { Time } from "../time.js"
import type { SendCapacity } from "./sendCapacity.js"

/** How long a writer with credit for only a few bytes waits for more, in milliseconds. */
const SMALL_CREDIT_DELAY = 5

/**
 * The blocked writers of one session. A `Writable` event wakes one.
 *
 * @since 0.1.0
 * @category models
 */
export class BlockedWriters {
  private readonly waitingForCredit = new DeadlineQueue<StreamCore>(SMALL_CREDIT_DELAY)

  constructor(
    private readonly capacity: SendCapacity,
    private readonly events: EventQueue,
    private readonly time: Time
  ) {}

  /**
   * A write was not fully accepted. Its writer now waits for one thing only: credit, capacity, or more than a few bytes
   * of credit.
   */
  block(stream: StreamCore): void {
    stream.writing = "Blocked"
    if (stream.sendWindow.credit === 0) {
      this.forget(stream)
    } else if (this.capacity.available(stream) === 0) {
      this.waitingForCredit.delete(stream)
      this.capacity.wait(stream)
    } else {
      this.capacity.stopWaiting(stream)
      this.waitingForCredit.add(stream, this.time.now)
    }
  }

  /** The writer of this stream stops waiting. */
  unblock(stream: StreamCore): void {
    if (stream.writing === "Blocked") stream.writing = "Ready"
    this.forget(stream)
  }

  /** The peer has granted credit. */
  creditGrew(stream: StreamCore): void {
    if (stream.writing !== "Blocked" || this.capacity.isAwaitedBy(stream)) return
    if (stream.sendWindow.worthwhile) this.wake(stream)
    else this.waitingForCredit.add(stream, this.time.now)
  }

  /** Bytes of a stream were withdrawn: wakes its writer, unless it waits for capacity. */
  withdrew(stream: StreamCore): void {
    if (!this.capacity.isAwaitedBy(stream)) this.wake(stream)
  }

  /** Wakes the writers that wait for capacity, if enough is free. */
  wakeForCapacity(): void {
    for (const stream of this.capacity.takeWaiting()) this.wake(stream)
  }

  /** Wakes the writers that have waited `SMALL_CREDIT_DELAY` for more credit. */
  wakeDue(): void {
    for (const stream of this.waitingForCredit.takeDue(this.time.now)) {
      stream.acceptsSmallCredit = true
      this.wake(stream)
    }
  }

  /** The time at which `wakeDue` must be called, in milliseconds; `Infinity` if never. */
  next(): number {
    return this.waitingForCredit.next()
  }

  /** Ends the wait for capacity or for more credit: an increment wakes the writer, or the stream has ended. */
  forget(stream: StreamCore): void {
    this.capacity.stopWaiting(stream)
    this.waitingForCredit.delete(stream)
  }

  /** All streams have failed. */
  clear(): void {
    this.capacity.clearWaiting()
    this.waitingForCredit.clear()
  }

  private wake(stream: StreamCore): void {
    if (stream.writing !== "Blocked") return
    stream.writing = "Ready"
    this.waitingForCredit.delete(stream)
    this.events.emit(new StreamEvent("Writable", stream))
  }
}
