/** First in, first out, in constant time. */

/** A class and not a literal; see `protocol/collections/v8.ts`. */
class Entry<A> {
  next: Entry<A> | undefined = undefined

  constructor(readonly value: A) {}
}

/** A queue without a bound. Its callers bound it. */
export class Queue<A> {
  private first: Entry<A> | undefined = undefined
  private last: Entry<A> | undefined = undefined
  private count = 0

  /** How many wait. */
  get size(): number {
    return this.count
  }

  push(value: A): void {
    const entry = new Entry(value)
    if (this.last === undefined) this.first = entry
    else this.last.next = entry
    this.last = entry
    this.count++
  }

  /** The oldest, which leaves the queue; `undefined` if it is empty. */
  shift(): A | undefined {
    const { first } = this
    if (first === undefined) return undefined
    this.first = first.next
    // an old entry that has left keeps no younger one alive
    first.next = undefined
    if (this.first === undefined) this.last = undefined
    this.count--
    return first.value
  }
}
