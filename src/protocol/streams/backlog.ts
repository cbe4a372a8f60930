/**
 * Streams of the peer that the application has not taken, and how many it will take as they come.
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
export class Backlog {
  /** How many streams wait. */
  size = 0
  /** How many more streams the application takes in the step that shows them: they need no place here. */
  acceptCapacity = 0

  private isOver = false

  /** `limit` in streams. */
  constructor(private readonly limit: number) {}

  get isFull(): boolean {
    return this.acceptCapacity <= 0 && this.size >= this.limit
  }

  /** The application is shown a stream. */
  show(stream: StreamCore): void {
    if (this.acceptCapacity > 0) {
      this.acceptCapacity--
      stream.exposure = "Shown"
    } else {
      this.size++
      stream.exposure = "InBacklog"
    }
  }

  /** The application has taken a stream, or never will. */
  leave(stream: StreamCore): void {
    if (stream.exposure !== "InBacklog") return
    stream.exposure = "Shown"
    if (!this.isOver) this.size--
  }

  /** The session is over: what still waits counts no more. */
  clear(): void {
    this.isOver = true
    this.size = 0
  }
}
