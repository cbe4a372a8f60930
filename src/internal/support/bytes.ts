/** What counts as bytes where they come from outside, and what something else is called in an error. */

import { describe, tagOf } from "./describe.js"

/** A `Uint8Array`, of this realm or of another (a `vm` context, a test environment). */
export const isBytes = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array || (ArrayBuffer.isView(value) && tagOf(value) === "Uint8Array")

/** What was given instead of bytes: `a string of 5 characters`, `a Uint16Array of 8 bytes`, `null`. */
export const describeValue = (value: unknown): string => {
  if (typeof value === "string") return `a string of ${value.length} characters`
  const bytes = ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? value.byteLength : undefined
  return bytes === undefined ? describe(value) : `${describe(value)} of ${bytes} bytes`
}

/** The error for a chunk that a medium, or one who writes to it, should have given as bytes. */
export const notBytes = (value: unknown): TypeError =>
  new TypeError(`a chunk must be a Uint8Array, not ${describeValue(value)}`)

/** Whether the memory of a view was detached: only then can nothing at all be made of it. */
export const isDetached = (bytes: Uint8Array): boolean => {
  if (bytes.length > 0) return false
  try {
    new Uint8Array(bytes)
    return false
  } catch {
    return true
  }
}

/** Below this, a copy costs less than to ask what memory a view shows. */
const SMALL = 64

interface Buffer {
  /** Newer than the types that this project compiles with. */
  readonly resizable?: boolean
}

/**
 * The same bytes in memory that keeps its length, or none at all: a view of resizable or shared memory is copied, since
 * it can change after its length was noted. Memory that is detached afterwards shows as a length of 0.
 */
export const stable = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length <= SMALL) return new Uint8Array(bytes)
  const buffer: ArrayBufferLike & Buffer = bytes.buffer
  return buffer.resizable === true || !(buffer instanceof ArrayBuffer) ? new Uint8Array(bytes) : bytes
}

/** A code of the wire. */
export const isUint32 = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff
