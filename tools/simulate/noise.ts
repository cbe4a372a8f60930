/** Bytes in which each position of each sequence differs. Taking a range costs nothing, and comparing is cheap. */
import { Random } from "./random.js"

/** No power of two, so that a shift by one does not look like none. */
const PERIOD = 999_983

/** The longest piece, in bytes. */
export const LONGEST = 262_144

const block = ((): Buffer => {
  const random = new Random(20_260_101)
  const bytes = Buffer.alloc(PERIOD + LONGEST)
  for (let i = 0; i < PERIOD; i++) bytes[i] = random.uint32()
  bytes.copy(bytes, PERIOD, 0, LONGEST)
  return bytes
})()

const startOf = (sequence: number, from: number): number => (sequence * 104_729 + from) % PERIOD

/** `length` bytes of a sequence: a view, which nobody may change. */
export const noise = (sequence: number, from: number, length: number): Uint8Array => {
  const start = startOf(sequence, from)
  return block.subarray(start, start + length)
}

/** Whether the bytes are those of the sequence at that place. */
export const isNoise = (bytes: Uint8Array, sequence: number, from: number): boolean => {
  for (let at = 0; at < bytes.length; at += LONGEST) {
    const piece = bytes.subarray(at, at + LONGEST)
    const start = startOf(sequence, from + at)
    if (block.compare(piece, 0, piece.length, start, start + piece.length) !== 0) return false
  }
  return true
}
