/** First in, first out, in constant time. */

interface Entry<A> {
  readonly value: A
  next: Entry<A> | undefined
}

export class Queue<A> {
  private first: Entry<A> | undefined = undefined
  private last: Entry<A> | undefined = undefined
  private count = 0

  get size(): number {
    return this.count
  }

  push(value: A): void {
    const entry: Entry<A> = { value, next: undefined }
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
    if (first.next === undefined) this.last = undefined
    this.count--
    return first.value
  }
}
