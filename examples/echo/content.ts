/** The bytes of a stream: pseudo-random, from the number of the stream, and never all in memory. */

const BLOCK = 64 * 1024

/** The content of one stream, from its beginning. */
export class Content {
  private state: number

  constructor(stream: number) {
    // an odd factor gives each stream another state; a xorshift never leaves the state 0
    this.state = Math.imul(stream + 1, 0x9e3779b1) | 0 || 1
  }

  /** The next 64 KiB, in a new array. */
  block(): Uint8Array {
    const words = new Int32Array(BLOCK / 4)
    let state = this.state
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      words[i] = state
    }
    this.state = state
    return new Uint8Array(words.buffer)
  }
}

/** Compares bytes, when they arrive, with the bytes that were written to the stream. */
export class ContentCheck {
  /** How many bytes were equal. */
  offset = 0

  private readonly content: Content
  private expected: Uint8Array = new Uint8Array(0)

  constructor(
    stream: number,
    private readonly length: number
  ) {
    this.content = new Content(stream)
  }

  /** Whether these are the next bytes. If not, `offset` is the first byte that differs. */
  matches(bytes: Uint8Array): boolean {
    let rest = bytes
    while (rest.length > 0) {
      const due = Math.min(rest.length, this.length - this.offset)
      if (due === 0) return false
      if (this.expected.length === 0) this.expected = this.content.block()
      const expected = this.expected.subarray(0, due)
      const given = rest.subarray(0, expected.length)
      if (Buffer.compare(expected, given) !== 0) {
        this.offset += expected.findIndex((byte, i) => byte !== given[i])
        return false
      }
      this.offset += expected.length
      this.expected = this.expected.subarray(expected.length)
      rest = rest.subarray(expected.length)
    }
    return true
  }

  get complete(): boolean {
    return this.offset === this.length
  }
}
