/**
 * The fibers that a step of a simulated connection wakes at its end. A scheduler may run a fiber inside the call that
 * wakes it. So a step first makes all its changes, on both links and both sides.
 */
import type { Latch } from "../../internal/support/waiters.js"

export class Wakes {
  private due: Array<Latch> = []

  /** After this step, the fibers that wait for the latch check again. */
  add(latch: Latch): void {
    this.due.push(latch)
  }

  /** Wakes them: the last call of a step. When it returns, any state that the step has read may have changed. */
  flush(): void {
    const { due } = this
    if (due.length === 0) return
    this.due = []
    for (const latch of due) latch.open()
  }
}
