/**
 * The bound on received bytes that wait to be read, for all streams of a session together, and whose memory they are.
 *
 * @since 0.1.0
 */
import type { StreamCore } from "../streams/streamCore.js"

/** An application that keeps what it has read keeps no more than eight times as much, as chunks are 64 KiB at most. */
const WORTH_A_CHUNK = 8 * 1024

/**
 * Counts received bytes from their arrival until the application takes them or they are dropped.
 *
 * @since 0.1.0
 * @category models
 */
export class ReceiveBuffer {
  /** Bytes that wait to be read, those of streams that have ended included. */
  held = 0

  /** The last chunk of which a view was kept beside which other views would have room. */
  private viewed: WeakRef<ArrayBufferLike> | undefined = undefined

  /** `limit` in bytes. */
  constructor(private readonly limit: number) {}

  /** Keeps bytes for the reader of a stream, as a view where that is safe and cheap. */
  hold(stream: StreamCore, bytes: Uint8Array, keep: "copy" | "reference" = this.keeps(stream, bytes)): void {
    this.held += bytes.length
    stream.inbound.push(bytes, keep)
  }

  /** Takes the first bytes of a stream, at most `max`; `undefined` when there are none, or their memory was detached. */
  take(stream: StreamCore, max?: number): Uint8Array | undefined {
    const bytes = stream.inbound.take(max)
    if (bytes !== undefined) this.held -= bytes.length
    return bytes
  }

  /** Drops what a stream holds, and returns how many bytes that were. */
  drop(stream: StreamCore): number {
    const dropped = stream.inbound.clear()
    this.held -= dropped
    return dropped
  }

  /** Drops what a stream holds. If that is anything, a FIN after it is no true end. */
  truncate(stream: StreamCore): void {
    if (this.drop(stream) > 0) stream.inboundEnd = "Cut"
  }

  hasRoom(length: number): boolean {
    return this.held + length <= this.limit
  }

  /**
   * Makes room for bytes that a frame announces. Where all streams together would hold too much, `giveUp` is called for
   * those that hold most, until there is room or it returns false. Returns false, without calling it, when that would not
   * be enough.
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
   * A view of a large chunk would keep all of it alive: but not for long, where a reader waits for it. Of one chunk only
   * one view is kept, or two readers would share its memory, and one that transfers it would take it from the other.
   */
  private keeps(stream: StreamCore, bytes: Uint8Array): "copy" | "reference" {
    const { buffer, byteOffset, length } = bytes
    const size = buffer.byteLength
    if (2 * length < size && (stream.reading !== "Waiting" || length < WORTH_A_CHUNK)) return "copy"
    // a larger piece may follow: a copy of this one is cheaper
    if (2 * (size - byteOffset - length) > size) return "copy"
    // what is left of the chunk is too small to be kept as a view
    if (size - length < WORTH_A_CHUNK) return "reference"
    if (this.viewed?.deref() === buffer) return "copy"
    this.viewed = new WeakRef(buffer)
    return "reference"
  }
}
