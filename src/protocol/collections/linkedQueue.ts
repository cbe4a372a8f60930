/**
 * Queues that streams enter and leave in constant time. They are no `Set`s for reason 2 of `v8.ts`.
 *
 * @since 0.1.0
 */

/**
 * What can wait in one queue at a time. The fields are the queue's.
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
 * First in, first out; who is in another queue leaves that first.
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

  /** Puts it last, unless it is here already. */
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
    // what has left must keep nothing alive
    item.next = undefined
    item.previous = undefined
    this.size--
  }

  /** Takes the first. */
  shift(): T | undefined {
    const { first } = this
    if (first !== undefined) this.delete(first)
    return first
  }

  /** All that are there now, in order. */
  values(): ReadonlyArray<T> {
    const values: Array<T> = []
    for (let item = this.first; item !== undefined; item = item.next) values.push(item)
    return values
  }

  clear(): void {
    while (this.shift() !== undefined);
  }
}
