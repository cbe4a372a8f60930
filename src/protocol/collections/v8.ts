/**
 * What V8 forces on the code of each frame and each stream. The reasons are said here once.
 *
 * 1. Array and object literals. V8 counts how long the values of a literal live, and decides once whether to allocate
 *    them among the long-lived. While a program starts, a burst of streams is alive at once. After that decision each
 *    dead array stays until the next full collection, with everything in it. So frames, events and results are made by
 *    classes, and arrays by `newArray`.
 * 2. Growing `Map`s and `Set`s. V8 links an old table to the new one. Once an old table is old garbage, each young
 *    collection copies all later tables and every stream in them. So streams wait in `LinkedQueue`s and are found in a
 *    `StreamIdMap`.
 * 3. Integers that pass 2^31. V8 changes the shape of the object and throws away all optimised code that touches it. So
 *    byte counts are a `ByteTotal`.
 *
 * @since 0.1.0
 */

const EMPTY: ReadonlyArray<never> = []

/**
 * An empty array, for code that makes one for each chunk or stream (reason 1). V8 does not count a copy.
 *
 * @since 0.1.0
 * @category constructors
 */
export const newArray = <A>(): Array<A> => EMPTY.slice()

/**
 * A count of bytes since the session began (reason 3). A negative zero is no small integer, so V8 keeps the field as a
 * double from the start.
 *
 * @since 0.1.0
 * @category models
 */
export class ByteTotal {
  private sum = -0

  add(amount: number): void {
    this.sum += amount
  }

  get value(): number {
    // or nothing counted would be seen as the negative zero that it is
    return this.sum + 0
  }
}
