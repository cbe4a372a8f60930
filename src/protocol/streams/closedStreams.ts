/**
 * Ids of streams that have ended, and what may still arrive for them.
 *
 * Wire: `docs/PROTOCOL.md`, section 5.
 *
 * @since 0.1.0
 */

/** Ids whose late frames are ignored; beyond it the oldest ids are forgotten. */
const MAX_CLOSED = 8192

/**
 * The peer needs a transit to learn that a stream has ended. Until then it may send up to a window of DATA, which is
 * late and not a fault.
 *
 * @since 0.1.0
 * @category models
 */
export class ClosedStreams {
  /** Bytes that may still come late for each id. */
  private readonly left = new Map<number, number>()
  /** Ids whose first late DATA draws an RST. */
  private readonly unanswered = new Set<number>()

  /** `window` is how many bytes of a stream may be on their way, unless a call says otherwise. */
  constructor(private readonly window: number) {}

  /** Late frames on this id are ignored, up to `window` bytes. */
  ignoreLate(id: number, window: number = this.window): void {
    this.unanswered.delete(id)
    this.left.set(id, this.left.get(id) ?? window)
    if (this.left.size <= MAX_CLOSED) return
    for (const oldest of this.left.keys()) return this.forget(oldest)
  }

  /** The application stopped reading while the peer was sending: the first late DATA draws an RST and costs nothing. */
  answerLate(id: number, window?: number): void {
    this.ignoreLate(id, window)
    this.unanswered.add(id)
  }

  /** What late DATA of `length` bytes is: to be answered, expected, or more than can have been on its way. */
  late(id: number, length: number): "Unknown" | "Answer" | "Expected" | "TooMuch" {
    const left = this.left.get(id)
    if (left === undefined) return "Unknown"
    if (this.unanswered.has(id)) return "Answer"
    this.left.set(id, Math.max(0, left - length))
    return length <= left ? "Expected" : "TooMuch"
  }

  forget(id: number): void {
    this.left.delete(id)
    this.unanswered.delete(id)
  }

  clear(): void {
    this.left.clear()
    this.unanswered.clear()
  }
}
