/** What counts as bytes where they come from outside, and what something else is called in an error. */

const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1)

/** A `Uint8Array`, of this realm or of another (a `vm` context, a test environment). */
export const isBytes = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array || (ArrayBuffer.isView(value) && tagOf(value) === "Uint8Array")

/** What a value is, in a few words: `a string of 5 characters`, `an ArrayBuffer of 8 bytes`. */
export const describeValue = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  switch (typeof value) {
    case "string":
      return `a string of ${value.length} characters`
    case "number":
    case "bigint":
    case "boolean":
      return `the ${typeof value} ${String(value)}`
    case "function":
      return "a function"
    case "symbol":
      return "a symbol"
  }
  const tag = tagOf(value)
  const named = `${/^[AEIO]/.test(tag) ? "an" : "a"} ${tag}`
  if (Array.isArray(value)) return `an Array of ${value.length} elements`
  if (ArrayBuffer.isView(value)) return `${named} of ${value.byteLength} bytes`
  if (tag === "ArrayBuffer" || tag === "SharedArrayBuffer") {
    return `${named} of ${(value as ArrayBufferLike).byteLength} bytes`
  }
  return tag === "Object" ? "an object" : named
}

/** The error for a chunk that a medium, or one who writes to it, should have given as bytes. */
export const notBytes = (value: unknown): TypeError =>
  new TypeError(`a chunk must be a Uint8Array, not ${describeValue(value)}`)

/** Below this, a copy costs less than to ask what memory a view shows. */
const SMALL = 64

interface Buffer {
  /** Newer than the types that this project compiles with. */
  readonly resizable?: boolean
}

/**
 * The same bytes in memory that keeps its length, or none at all: a view of resizable or shared memory is copied, since
 * it can change under whoever has noted its length. Memory that is detached afterwards shows as a length of 0.
 */
export const stable = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length <= SMALL) return new Uint8Array(bytes)
  const buffer: ArrayBufferLike & Buffer = bytes.buffer
  return buffer.resizable === true || !(buffer instanceof ArrayBuffer) ? new Uint8Array(bytes) : bytes
}

/** A code of the wire. */
export const isUint32 = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff
