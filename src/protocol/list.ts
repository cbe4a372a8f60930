/**
 * Arrays for what is soon over. Synchronous and total.
 *
 * @since 0.1.0
 */

const EMPTY: ReadonlyArray<never> = []

/**
 * An empty array, for the places that make one for each chunk or stream.
 *
 * The engine counts how long what an array literal makes lives, and decides once whether to make more of it among what
 * lives long. While a program starts, much does: a burst of streams is all alive at once. After that each array would
 * stay until the next full collection, dead, and all that was in it too. A copy is not counted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const list = <A>(): Array<A> => EMPTY.slice()
