/**
 * The ids of ended streams, and the bytes that may still arrive for each.
 *
 * Wire: `docs/PROTOCOL.md`, section 5.
 *
 * @since 0.1.0
 */

/** The maximum number of remembered ids. The oldest id is forgotten first. */
const MAX_CLOSED = 8192

/**
 * The peer learns that a stream has ended after one transit time. Until then it may send up to one window of DATA,
 * which is late and not a fault.
 *
 * @since 0.1.0
 * @category models
 */
export class ClosedStreams {
  /** The late bytes that may still arrive for each id. */
  private readonly left = new Map<number, number>()
  /** Ids whose first late DATA is answered with an RST. */
  private readonly unanswered = new Set<number>()

  /** `window` is the default number of bytes in transit on a stream. */
  constructor(private readonly window: number) {}

  /** Late frames on this id are ignored, up to `window` bytes. */
  ignoreLate(id: number, window: number = this.window): void {
    this.unanswered.delete(id)
    this.left.set(id, this.left.get(id) ?? window)
    if (this.left.size <= MAX_CLOSED) return
    for (const oldest of this.left.keys()) return this.forget(oldest)
  }

  /**
   * The application stopped reading while the peer was sending: the first late DATA is answered with an RST, and is
   * free.
   */
  answerLate(id: number, window?: number): void {
    this.ignoreLate(id, window)
    this.unanswered.add(id)
  }

  /**
   * Classifies late DATA of `length` bytes: it must be answered, it is expected, or it is more than can have been in
   * transit.
   */
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
