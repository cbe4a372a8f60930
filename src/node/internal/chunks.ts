/**
 * The check of what is handed to a transport to be written.
 *
 * @since 0.1.0
 */
import { isUint8Array } from "node:util/types"
import { describeValue } from "../../internal/support/bytes.js"

/**
 * The bytes of all chunks together, or the error that names what is no `Uint8Array`. One from another realm (a `vm`
 * context) counts as one.
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
 * The error for a batch whose size is not what it was when `write` was called.
 *
 * @since 0.1.0
 * @category errors
 */
export const changed = (before: number, now: number): TypeError =>
  new TypeError(
    `The chunks had ${before} bytes when write was called and have ${now} now: the memory of one was detached or resized`
  )
