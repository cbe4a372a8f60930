/**
 * Queues that streams enter and leave in constant time. They replace `Set`s because of reason 2 of `v8.ts`.
 *
 * @since 0.1.0
 */

/**
 * An item that can be in one queue at a time. Only the queue changes these fields.
 *
 * @since 0.1.0
 * @category models
 */
export interface Linked<T extends Linked<T>> {
  queue: LinkedQueue<T> | undefined
  next: T | undefined
  previous: T | undefined
}

/**
 * A first-in, first-out queue. An item that is added leaves its previous queue.
 *
 * @since 0.1.0
 * @category models
 */
export class LinkedQueue<T extends Linked<T>> {
  size = 0
  private first: T | undefined = undefined
  private last: T | undefined = undefined

  has(item: T): boolean {
    return item.queue === this
  }

  /** Adds an item at the end, unless it is in this queue. */
  add(item: T): void {
    if (item.queue === this) return
    item.queue?.delete(item)
    item.queue = this
    item.previous = this.last
    if (this.last === undefined) this.first = item
    else this.last.next = item
    this.last = item
    this.size++
  }

  delete(item: T): void {
    if (item.queue !== this) return
    const { next, previous } = item
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
    item.queue = undefined
    // a removed item must not keep its neighbours alive
    item.next = undefined
    item.previous = undefined
    this.size--
  }

  /** Removes and returns the first item. */
  shift(): T | undefined {
    const { first } = this
    if (first !== undefined) this.delete(first)
    return first
  }

  /** A copy of the items, in order. */
  values(): ReadonlyArray<T> {
    const values: Array<T> = []
    for (let item = this.first; item !== undefined; item = item.next) values.push(item)
    return values
  }

  clear(): void {
    while (this.shift() !== undefined);
  }
}
