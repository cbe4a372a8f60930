/** Checks bytes that a program gives, and describes other values in errors. */

import { describe, tagOf } from "./describe.js"

/** A `Uint8Array`, of this realm or of another (a `vm` context, a test environment). */
export const isBytes = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array || (ArrayBuffer.isView(value) && tagOf(value) === "Uint8Array")

/** Describes a value that is not bytes: `a string of 5 characters`, `a Uint16Array of 8 bytes`, `null`. */
export const describeValue = (value: unknown): string => {
  if (typeof value === "string") return `a string of ${value.length} characters`
  const bytes = ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? value.byteLength : undefined
  return bytes === undefined ? describe(value) : `${describe(value)} of ${bytes} bytes`
}

/** The error for a chunk that is not bytes. */
export const notBytes = (value: unknown): TypeError =>
  new TypeError(`a chunk must be a Uint8Array, not ${describeValue(value)}`)

/** Whether the memory of a view was detached. Only then does `new Uint8Array(bytes)` throw. */
export const isDetached = (bytes: Uint8Array): boolean => {
  if (bytes.length > 0) return false
  try {
    new Uint8Array(bytes)
    return false
  } catch {
    return true
  }
}

/** Up to this number of bytes, a copy costs less than a look at the kind of memory. */
const SMALL = 64

interface Buffer {
  /** Newer than the types that this project compiles with. */
  readonly resizable?: boolean
}

/**
 * Returns the bytes in memory that keeps its length until it is detached. Copies up to 64 bytes, and views of
 * resizable or shared memory, which can change later. If other memory is detached later, the length of its view
 * becomes 0.
 */
export const stable = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length <= SMALL) return new Uint8Array(bytes)
  const buffer: ArrayBufferLike & Buffer = bytes.buffer
  return buffer.resizable === true || !(buffer instanceof ArrayBuffer) ? new Uint8Array(bytes) : bytes
}

/** Whether a value can be a code or a stream type: an integer from 0 to 4294967295. */
export const isUint32 = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff
