/**
 * Streams of the peer that wait to be accepted, and how many more the application takes at once.
 *
 * @since 0.1.0
 */
import type { StreamCore } from "./streamCore.js"

/**
 * Counts the streams of one session that wait to be accepted.
 *
 * @since 0.1.0
 * @category models
 */
export class AcceptBacklog {
  /** The number of streams that wait. */
  size = 0
  /** The number of further streams that the application takes in the step that shows them. They need no place here. */
  acceptCapacity = 0

  private isOver = false

  /** `limit` in streams. */
  constructor(private readonly limit: number) {}

  get isFull(): boolean {
    return this.acceptCapacity <= 0 && this.size >= this.limit
  }

  /** Shows a stream to the application. */
  show(stream: StreamCore): void {
    if (this.acceptCapacity > 0) {
      this.acceptCapacity--
      stream.exposure = "Shown"
    } else {
      this.size++
      stream.exposure = "InBacklog"
    }
  }

  /** The application does not take a stream that was shown, although it said that it would: the stream waits. */
  defer(stream: StreamCore): void {
    if (stream.exposure !== "Shown" || this.isOver) return
    this.size++
    stream.exposure = "InBacklog"
  }

  /** The application has taken or refused a stream. */
  leave(stream: StreamCore): void {
    if (stream.exposure !== "InBacklog") return
    stream.exposure = "Shown"
    if (!this.isOver) this.size--
  }

  /** The session is over: streams that still wait are no longer counted. */
  clear(): void {
    this.isOver = true
    this.size = 0
  }
}
