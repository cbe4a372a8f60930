/**
 * Limits the unread bytes of all streams of a session together, and decides whether to copy them.
 *
 * @since 0.1.0
 */
import type { StreamCore } from "../streams/streamCore.js"

/**
 * Only pieces of at least this many bytes may keep alive a chunk of more than twice their length. Chunks have at most
 * 64 KiB, so a kept view holds at most 8 times its length.
 */
const WORTH_A_CHUNK = 8 * 1024

/**
 * Counts received bytes from their arrival until the application takes them or they are dropped.
 *
 * @since 0.1.0
 * @category models
 */
export class ReceiveBuffer {
  /** Unread bytes, including those of ended streams. */
  held = 0

  /** The last chunk of which a view was kept and in which another view could be. */
  private viewed: WeakRef<ArrayBufferLike> | undefined = undefined

  /** `limit` in bytes. */
  constructor(private readonly limit: number) {}

  /** Keeps bytes for the reader of a stream, as a view or as a copy: see `keeps`. */
  hold(stream: StreamCore, bytes: Uint8Array, keep: "copy" | "reference" = this.keeps(stream, bytes)): void {
    this.held += bytes.length
    stream.inbound.push(bytes, keep)
  }

  /**
   * Takes the first bytes of a stream, at most `max`; `undefined` if there are none, or if their memory was detached.
   */
  take(stream: StreamCore, max?: number): Uint8Array | undefined {
    const bytes = stream.inbound.take(max)
    if (bytes !== undefined) this.held -= bytes.length
    return bytes
  }

  /** Drops the unread bytes of a stream, and returns their number. */
  drop(stream: StreamCore): number {
    const dropped = stream.inbound.clear()
    this.held -= dropped
    return dropped
  }

  /** Drops the unread bytes of a stream. If there were any, a FIN is no longer a clean end. */
  truncate(stream: StreamCore): void {
    if (this.drop(stream) > 0) stream.inboundEnd = "Cut"
  }

  hasRoom(length: number): boolean {
    return this.held + length <= this.limit
  }

  /**
   * Frees space for `length` bytes that a frame announces. If they would exceed the limit, calls `giveUp` for the
   * streams that hold most, until there is space or `giveUp` returns false. Returns false without a call if the bytes
   * of all live streams are too few.
   */
  makeRoom(length: number, live: () => ReadonlyArray<StreamCore>, giveUp: (stream: StreamCore) => boolean): boolean {
    const { limit } = this
    if (this.hasRoom(length)) return true
    const streams = [...live()].sort((a, b) => a.inbound.length - b.inbound.length)
    const alive = streams.reduce((sum, stream) => sum + stream.inbound.length, 0)
    if (this.held - alive + length > limit) return false
    while (!this.hasRoom(length)) {
      const largest = streams.pop()
      if (largest === undefined || !giveUp(largest)) break
    }
    return true
  }

  /**
   * A view keeps its whole chunk alive. That is acceptable for a waiting reader, which takes it at once. Only one view
   * of each chunk is kept. Otherwise two readers would share memory, and a transfer by one would detach the bytes of
   * the other.
   */
  private keeps(stream: StreamCore, bytes: Uint8Array): "copy" | "reference" {
    const { buffer, byteOffset, length } = bytes
    const size = buffer.byteLength
    if (2 * length < size && (stream.reading !== "Waiting" || length < WORTH_A_CHUNK)) return "copy"
    // more than half of the chunk follows, so a larger piece may become the view: copy this one
    if (2 * (size - byteOffset - length) > size) return "copy"
    // the other bytes of the chunk are too few for a second view
    if (size - length < WORTH_A_CHUNK) return "reference"
    if (this.viewed?.deref() === buffer) return "copy"
    this.viewed = new WeakRef(buffer)
    return "reference"
  }
}
