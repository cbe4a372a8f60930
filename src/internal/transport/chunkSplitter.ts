/** Splits long chunks of a transport (WebSocket messages, for example), so that not all of their frames are in memory. */

/** The longest part, in bytes. */
export const MAX_PART = 64 * 1024

const NO_BYTES: Uint8Array = new Uint8Array(0)

/** Holds the rest of one chunk. */
export class ChunkSplitter {
  /** The bytes of the chunk that were not returned. */
  rest: Uint8Array = NO_BYTES

  /** Returns the first part of a chunk, and keeps the rest. */
  split(chunk: Uint8Array): Uint8Array {
    const isWhole = chunk.length <= MAX_PART
    this.rest = isWhole ? NO_BYTES : chunk.subarray(MAX_PART)
    return isWhole ? chunk : chunk.subarray(0, MAX_PART)
  }
}
