/**
 * Keys that fall due a fixed delay after they were added. Synchronous and total; time comes in as `now` (milliseconds).
 *
 * @since 0.1.0
 */

/**
 * Since the delay is the same for all, the order of adding is the order of falling due.
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

  /** Adds a key, unless it waits already. */
  add(key: K, now: number): void {
    if (!this.deadlines.has(key)) this.deadlines.set(key, now + this.delay)
  }

  delete(key: K): void {
    if (this.deadlines.size > 0) this.deadlines.delete(key)
  }

  clear(): void {
    this.deadlines.clear()
  }

  /** When the first key falls due; `Infinity` when there is none. */
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
