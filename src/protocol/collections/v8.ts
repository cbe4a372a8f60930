/**
 * Workarounds for V8 in the code that runs for each frame and each stream. Other files refer to these reasons by
 * number.
 *
 * 1. Array and object literals. V8 measures how long the values of a literal live, and decides once whether to allocate
 *    them in the old generation. A burst of live streams at the start of a program makes it decide for the old one.
 *    Then each dead array stays until the next full collection, with everything in it. So classes make frames, events
 *    and results, and `newArray` makes arrays.
 * 2. Growing `Map`s and `Set`s. V8 links an old table to the new one. Once an old table is old garbage, each young
 *    collection copies all later tables and every stream in them. So `LinkedQueue` and `StreamIdMap` hold the streams.
 * 3. Integers that pass 2^31. V8 changes the shape of the object and discards all optimised code that uses it. So byte
 *    counts use `ByteTotal`.
 *
 * @since 0.1.0
 */

const EMPTY: ReadonlyArray<never> = []

/**
 * An empty array, for code that makes one for each chunk or stream (reason 1). V8 does not measure how long a copied
 * array lives.
 *
 * @since 0.1.0
 * @category constructors
 */
export const newArray = <A>(): Array<A> => EMPTY.slice()

/**
 * A count of bytes since the session began (reason 3). It starts at -0, which is not a small integer, so V8 stores the
 * field as a double from the start.
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
    // turns the initial -0 into 0
    return this.sum + 0
  }
}
