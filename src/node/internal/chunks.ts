/**
 * The check of the argument of a transport's `write`.
 *
 * @since 0.1.0
 */
import { isUint8Array } from "node:util/types"
import { describeValue } from "../../internal/support/bytes.js"

/**
 * The bytes of all chunks together, or an error that describes the first value that is not a `Uint8Array`. A
 * `Uint8Array` of another realm (a `vm` context) is accepted.
 *
 * @since 0.1.0
 * @category utilities
 */
export const sizeOf = (chunks: unknown): number | TypeError => {
  if (!Array.isArray(chunks))
    return new TypeError(`A write takes an array of Uint8Arrays, not ${describeValue(chunks)}`)
  let size = 0
  for (const chunk of chunks as ReadonlyArray<unknown>) {
    if (!isUint8Array(chunk)) return new TypeError(`A transport writes Uint8Arrays, not ${describeValue(chunk)}`)
    size += chunk.length
  }
  return size
}

/**
 * The error for a batch whose size has changed since the call of `write`.
 *
 * @since 0.1.0
 * @category errors
 */
export const changed = (before: number, now: number): TypeError =>
  new TypeError(
    `The chunks had ${before} bytes when write was called and have ${now} now: the memory of one was detached or resized`
  )
