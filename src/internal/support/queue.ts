/** A first-in, first-out queue. Each operation takes constant time. */

/** A class because of reason 1 in `protocol/collections/v8.ts`. */
class Entry<A> {
  next: Entry<A> | undefined = undefined

  constructor(readonly value: A) {}
}

/** A queue without a limit. The code that uses it limits its length. */
export class Queue<A> {
  private first: Entry<A> | undefined = undefined
  private last: Entry<A> | undefined = undefined
  private count = 0

  /** The number of entries. */
  get size(): number {
    return this.count
  }

  /** The oldest entry, which stays in the queue; `undefined` if the queue is empty. */
  get oldest(): A | undefined {
    return this.first?.value
  }

  push(value: A): void {
    const entry = new Entry(value)
    if (this.last === undefined) this.first = entry
    else this.last.next = entry
    this.last = entry
    this.count++
  }

  /** Removes and returns the oldest entry, or `undefined` if the queue is empty. */
  shift(): A | undefined {
    const { first } = this
    if (first === undefined) return undefined
    this.first = first.next
    // an entry that has left must not keep later entries in memory
    first.next = undefined
    if (this.first === undefined) this.last = undefined
    this.count--
    return first.value
  }
}
