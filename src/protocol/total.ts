/**
 * Counts that outgrow small integers. Synchronous and total.
 *
 * @since 0.1.0
 */

/**
 * The bytes, say, that went through a session since it began.
 *
 * The engine keeps a field of integers apart from one of other numbers. One that begins as an integer and passes 2^31
 * changes the shape of its object, and all optimised code that touches the object is thrown away in the middle of bulk.
 * A negative zero is no small integer, so that this one is kept as what it becomes from the start.
 *
 * @since 0.1.0
 * @category models
 */
export class Total {
  private sum = -0

  add(amount: number): void {
    this.sum += amount
  }

  get value(): number {
    // or nothing counted would be seen as the negative zero that it is
    return this.sum + 0
  }
}
