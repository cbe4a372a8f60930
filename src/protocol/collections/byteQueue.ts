/**
 * A queue of bytes. Its callers limit its length.
 *
 * @since 0.1.0
 */

/**
 * Pieces of at most this many bytes are copied together, so that a queue of single bytes does not hold an object for
 * each.
 */
const SMALL = 2048

const SMALLEST_TAIL = 1024
const LARGEST_TAIL = 16 * 1024

const NO_BYTES: Uint8Array = new Uint8Array(0)

/** Many queues never hold a chunk, so all start with this array. It stays empty. */
const NO_CHUNKS: Array<Uint8Array> = []

/** Each queue copies it: see reason 1 of `v8.ts`. */
const ONE_CHUNK: ReadonlyArray<Uint8Array> = [NO_BYTES]

/**
 * Returns bytes in the order in which they were added. Keeps large pieces by reference, and copies runs of small ones
 * together.
 *
 * @since 0.1.0
 * @category models
 */
export class ByteQueue {
  /** Bytes in the queue. */
  length = 0

  private chunks: Array<Uint8Array> = NO_CHUNKS
  private head = 0
  /**
   * The buffer that this queue owns and appends to. Its first `tailLength` bytes are the last chunk, which was not
   * taken.
   */
  private tail: Uint8Array | undefined = undefined
  private tailLength = 0

  /**
   * Adds bytes at the end. With `keep: "copy"`, copies even a large piece, and a first one. Use it for views of a
   * larger buffer, which they would keep alive.
   */
  push(bytes: Uint8Array, keep: "reference" | "copy" = "reference"): void {
    if (bytes.length === 0) return
    this.length += bytes.length
    if (this.chunks === NO_CHUNKS) {
      this.chunks = ONE_CHUNK.slice()
      this.chunks[0] = keep === "copy" ? copy(bytes) : bytes
      return
    }
    if (bytes.length > SMALL) {
      this.tail = undefined
      this.chunks.push(keep === "copy" ? copy(bytes) : bytes)
      return
    }
    const lastIndex = this.chunks.length - 1
    if (this.tail !== undefined && this.tail.length - this.tailLength >= bytes.length) {
      this.append(this.tail, lastIndex, bytes)
      return
    }
    this.tail = undefined
    const last = this.chunks[lastIndex]
    if (last === undefined || last.length === 0 || last.length > SMALL) {
      this.chunks.push(keep === "copy" ? copy(bytes) : bytes)
      return
    }
    // enough for both pieces, which have at most SMALL bytes each and are part of the queue's length
    this.tail = new Uint8Array(Math.max(SMALLEST_TAIL, Math.min(LARGEST_TAIL, 2 * this.length)))
    this.tail.set(last, 0)
    this.tailLength = last.length
    this.append(this.tail, lastIndex, bytes)
  }

  /**
   * Whether the memory of the first bytes was detached after `push` (a transferred `ArrayBuffer`, or WebAssembly memory
   * that grew). Such a piece has length 0; `push` ignores empty pieces.
   */
  get isBroken(): boolean {
    return this.chunks[this.head]?.length === 0
  }

  /**
   * Takes the first chunk, at most `max` bytes of it. `undefined` if the queue is empty, or if the memory of that chunk
   * was detached.
   */
  take(max: number = Infinity): Uint8Array | undefined {
    const first = this.chunks[this.head]
    if (first === undefined || first.length === 0 || max <= 0) return undefined
    if (first.length > max) {
      this.chunks[this.head] = first.subarray(max)
      this.forgetTailIfLast()
      this.length -= max
      return first.subarray(0, max)
    }
    this.forgetTailIfLast()
    this.length -= first.length
    this.chunks[this.head] = NO_BYTES
    this.head++
    if (this.head === this.chunks.length) {
      this.chunks.length = 0
      this.head = 0
    } else if (this.head >= 64 && this.head * 2 >= this.chunks.length) {
      this.chunks.splice(0, this.head)
      this.head = 0
    }
    return first
  }

  /**
   * Removes the last `count` bytes. False, and nothing is removed, if the queue holds fewer, or if the memory of some
   * was detached.
   */
  dropLast(count: number): boolean {
    let index = this.chunks.length
    let kept = NO_BYTES
    for (let left = count; left > 0;) {
      // a taken chunk has length 0, too
      const chunk = this.chunks[--index]
      if (chunk === undefined || chunk.length === 0) return false
      left -= chunk.length
      kept = chunk.subarray(0, Math.max(0, -left))
    }
    this.tail = undefined
    this.length -= count
    this.chunks.length = index
    if (kept.length > 0) this.chunks.push(kept)
    if (this.head >= this.chunks.length) this.clear()
    return true
  }

  /** Removes everything, and returns the number of bytes. */
  clear(): number {
    const dropped = this.length
    this.chunks = NO_CHUNKS
    this.head = 0
    this.tail = undefined
    this.tailLength = 0
    this.length = 0
    return dropped
  }

  private append(tail: Uint8Array, index: number, bytes: Uint8Array): void {
    tail.set(bytes, this.tailLength)
    this.tailLength += bytes.length
    this.chunks[index] = tail.subarray(0, this.tailLength)
  }

  private forgetTailIfLast(): void {
    if (this.head === this.chunks.length - 1) this.tail = undefined
  }
}

/** Not `slice`: for a Node Buffer that is a view. */
const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)
