/** Bytes for tests: hex in and out, and patterns in which a lost or moved byte shows. */

export const fromHex = (text: string): Uint8Array => {
  const digits = text.replaceAll(/\s/g, "")
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16))
}

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

export const concat = (chunks: Iterable<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...chunks]))

/** `length` bytes that count up from `from`, in steps that no power of two divides. */
export const pattern = (length: number, from = 0): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (from + i) % 251
  return bytes
}

/** `size` bytes in which each position and each seed matters. */
export const noise = (size: number, seed: number): Uint8Array => {
  const words = new Uint32Array(Math.ceil(size / 4))
  for (let i = 0, word = seed; i < words.length; i++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0
    words[i] = word
  }
  return new Uint8Array(words.buffer, 0, size)
}

/** Takes the memory away from every view of it, as a transfer to a worker does. */
export const detach = (bytes: Uint8Array): void => {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
}
