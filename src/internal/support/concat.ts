import { describeValue, isBytes, notBytes } from "./bytes.js"

/** Joins chunks. Copies them only if there are several. */
export const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [first, ...rest] = chunks
  if (first !== undefined && rest.length === 0) return first
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

/** The number of bytes in the chunks, or an error if they are not an array of byte chunks. */
export const lengthOf = (chunks: unknown): number | TypeError => {
  if (!Array.isArray(chunks)) return new TypeError(`the chunks must be an array, not ${describeValue(chunks)}`)
  let length = 0
  for (const chunk of chunks as ReadonlyArray<unknown>) {
    if (!isBytes(chunk)) return notBytes(chunk)
    length += chunk.length
  }
  return length
}
