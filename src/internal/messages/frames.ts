/** Splits received bytes into the bytes of messages. Each byte is looked at once, however its message is cut. */

const NO_BYTES: Uint8Array = new Uint8Array(0)

/** A message has more bytes than it may have. `size` is its announced size, or the bytes of it that have arrived. */
export class TooLarge {
  constructor(readonly size: number) {}
}

/** The bytes of one stream, as messages. */
export interface Frames {
  /** Adds received bytes. Call it only after `next` has returned `undefined`. */
  readonly push: (bytes: Uint8Array) => void
  /** Takes the next message that is complete. Checks its size before its last byte has arrived. */
  readonly next: (maxBytes: number) => Uint8Array | TooLarge | undefined
  /** The bytes of the message that is not complete. */
  readonly rest: number
}

/** The first bytes of a message. It grows with them, and not with the size that a peer announces. */
class Beginning {
  length = 0
  private buffer = NO_BYTES

  append(bytes: Uint8Array): void {
    const length = this.length + bytes.length
    if (length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.buffer.length))
      larger.set(this.buffer.subarray(0, this.length))
      this.buffer = larger
    }
    this.buffer.set(bytes, this.length)
    this.length = length
  }

  /** Adds the last bytes, and returns all. Copies nothing if these are all. */
  complete(bytes: Uint8Array): Uint8Array {
    if (this.length === 0) return bytes
    this.append(bytes)
    const all = this.buffer.subarray(0, this.length)
    this.buffer = NO_BYTES
    this.length = 0
    return all
  }
}

const LINE_FEED = 10

/** Messages that end in a line feed. No other character of UTF-8 contains its byte. */
export class LineFrames implements Frames {
  private chunk = NO_BYTES
  private readonly beginning = new Beginning()

  push(bytes: Uint8Array): void {
    this.chunk = bytes
  }

  next(maxBytes: number): Uint8Array | TooLarge | undefined {
    const { beginning, chunk } = this
    const end = chunk.indexOf(LINE_FEED)
    const size = beginning.length + (end < 0 ? chunk.length : end)
    if (size > maxBytes) return new TooLarge(size)
    if (end < 0) {
      beginning.append(chunk)
      this.chunk = NO_BYTES
      return undefined
    }
    this.chunk = chunk.subarray(end + 1)
    return beginning.complete(chunk.subarray(0, end))
  }

  get rest(): number {
    return this.beginning.length + this.chunk.length
  }
}

/** The bytes of the length before each message. */
export const PREFIX_LENGTH = 4

/** Messages after their lengths, which are big-endian uint32. */
export class PrefixedFrames implements Frames {
  private chunk = NO_BYTES
  private readonly beginning = new Beginning()
  /** How many bytes of the length have arrived, and their value. */
  private prefixLength = 0
  private size = 0

  push(bytes: Uint8Array): void {
    this.chunk = bytes
  }

  next(maxBytes: number): Uint8Array | TooLarge | undefined {
    const { beginning } = this
    const length = Math.min(PREFIX_LENGTH - this.prefixLength, this.chunk.length)
    for (let i = 0; i < length; i++) this.size = this.size * 256 + (this.chunk[i] ?? 0)
    this.prefixLength += length
    const chunk = this.chunk.subarray(length)
    this.chunk = NO_BYTES
    if (this.prefixLength < PREFIX_LENGTH) return undefined
    if (this.size > maxBytes) return new TooLarge(this.size)
    const missing = this.size - beginning.length
    if (chunk.length < missing) {
      beginning.append(chunk)
      return undefined
    }
    this.prefixLength = 0
    this.size = 0
    this.chunk = chunk.subarray(missing)
    return beginning.complete(chunk.subarray(0, missing))
  }

  get rest(): number {
    return this.prefixLength + this.beginning.length + this.chunk.length
  }
}
