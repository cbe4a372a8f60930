/**
 * The fibers that a step of a simulated connection wakes, all of them at its end. A scheduler may run a fiber inside the
 * call that wakes it, so a step first changes all that it changes, on both links and both sides.
 */
import type { Latch } from "../../internal/support/waiters.js"

export class Wakes {
  private due: Array<Latch> = []

  /** The fibers that wait here shall look again after this step. */
  add(latch: Latch): void {
    this.due.push(latch)
  }

  /** The last thing that a step does. What it has read before may have changed when this returns. */
  flush(): void {
    const { due } = this
    if (due.length === 0) return
    this.due = []
    for (const latch of due) latch.open()
  }
}
