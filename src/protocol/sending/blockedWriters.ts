/**
 * Writers whose last write was not taken whole, and when each of them goes on.
 *
 * One waits for capacity of the session, for credit of the peer (a WNDINC), or, where the peer grants only a few bytes,
 * for a moment in which it may grant more.
 *
 * @since 0.1.0
 */
import { DeadlineQueue } from "../collections/deadlineQueue.js"
import type { EventQueue } from "../events.js"
import { StreamEvent } from "../events.js"
import type { StreamCore } from "../streams/streamCore.js"
import type { Time } from "../time.js"
import type { SendCapacity } from "./sendCapacity.js"

/** How long a writer waits for more credit than a few bytes, in milliseconds. */
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

  /** A write was not taken whole. */
  block(stream: StreamCore): void {
    stream.writing = "Blocked"
    if (stream.sendWindow.credit === 0) return
    if (this.capacity.available(stream) === 0) this.capacity.wait(stream)
    else this.waitingForCredit.add(stream, this.time.now)
  }

  /** No writer waits on this stream any more. */
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

  /** Bytes of a stream were taken back: its writer may go on, unless it waits in line for capacity. */
  withdrew(stream: StreamCore): void {
    if (!this.capacity.isAwaitedBy(stream)) this.wake(stream)
  }

  /** Wakes those that wait for capacity, if there is some. */
  wakeForCapacity(): void {
    for (const stream of this.capacity.takeWaiting()) this.wake(stream)
  }

  /** Wakes those that have waited long enough for more credit than a few bytes. */
  wakeDue(): void {
    for (const stream of this.waitingForCredit.takeDue(this.time.now)) {
      stream.acceptsSmallCredit = true
      this.wake(stream)
    }
  }

  /** When `wakeDue` wants to be called, in milliseconds; `Infinity` when never. */
  next(): number {
    return this.waitingForCredit.next()
  }

  /** A stream has left the session. */
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
    if (!stream.isHeartbeat) this.events.emit(new StreamEvent("Writable", stream))
  }
}
