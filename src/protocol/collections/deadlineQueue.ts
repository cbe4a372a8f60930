/**
 * A queue of keys, each due a fixed delay after it was added. Times are in milliseconds.
 *
 * @since 0.1.0
 */

/**
 * Keys become due in the order in which they were added, because all have the same delay.
 *
 * @since 0.1.0
 * @category models
 */
export class DeadlineQueue<K> {
  private readonly deadlines = new Map<K, number>()

  constructor(readonly delay: number) {}

  get size(): number {
    return this.deadlines.size
  }

  /** Adds a key, unless it is in the queue. */
  add(key: K, now: number): void {
    if (!this.deadlines.has(key)) this.deadlines.set(key, now + this.delay)
  }

  delete(key: K): void {
    if (this.deadlines.size > 0) this.deadlines.delete(key)
  }

  clear(): void {
    this.deadlines.clear()
  }

  /** The time at which the first key is due; `Infinity` if there is none. */
  next(): number {
    if (this.deadlines.size === 0) return Infinity
    for (const deadline of this.deadlines.values()) return deadline
    return Infinity
  }

  /** Removes and returns the keys that are due. */
  takeDue(now: number): ReadonlyArray<K> {
    if (this.next() > now) return []
    const due: Array<K> = []
    for (const [key, deadline] of this.deadlines) {
      if (deadline > now) break
      due.push(key)
    }
    for (const key of due) this.deadlines.delete(key)
    return due
  }
}
