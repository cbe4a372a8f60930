/**
 * The send window of one stream, in payload bytes: what the peer lets this side send.
 *
 * Wire: `docs/PROTOCOL.md`, section 4.
 *
 * @since 0.1.0
 */
import { MAX_UINT31 } from "../wire/frame.js"

/** Below this a lone grant is not worth a frame at once. */
const SMALL_SEND = 1024

/**
 * What the peer lets us send.
 *
 * @since 0.1.0
 * @category models
 */
export class SendWindow {
  private available: number

  constructor(readonly initial: number) {
    this.available = initial
  }

  /** Bytes that may still be accepted from the application. */
  get credit(): number {
    return this.available
  }

  /** Bytes were accepted. */
  consume(bytes: number): void {
    this.available -= bytes
  }

  /** Bytes that were accepted are not sent after all. */
  refund(bytes: number): void {
    this.available += bytes
  }

  /**
   * Adds a WNDINC. `queued` are the bytes that were accepted but not yet sent: for the peer they still belong to the
   * window. False when the window would pass 2^31-1, which is a FlowControlError.
   */
  grow(increment: number, queued: number): boolean {
    if (this.available + queued + increment > MAX_UINT31) return false
    this.available += increment
    return true
  }

  /** Whether there is enough to be worth a frame; a peer that grants single bytes must not get single-byte frames. */
  get worthwhile(): boolean {
    return this.available >= Math.max(1, Math.min(SMALL_SEND, Math.floor(this.initial / 4)))
  }
}
