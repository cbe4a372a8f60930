/**
 * The send window of one stream: the payload bytes that this side may send.
 *
 * Wire: `docs/PROTOCOL.md`, section 4.
 *
 * @since 0.1.0
 */
import { MAX_UINT31 } from "../wire/frame.js"

/** With credit for fewer bytes than this, a writer waits for more. */
const SMALL_SEND = 1024

/**
 * The credit that the peer gives this side on one stream.
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

  /** Accepted bytes were withdrawn. */
  refund(bytes: number): void {
    this.available += bytes
  }

  /**
   * Adds a WNDINC. `queued` is the number of accepted, unsent bytes: the peer still counts them as window. False if the
   * window would exceed 2^31-1, which is a FlowControlError.
   */
  grow(increment: number, queued: number): boolean {
    if (this.available + queued + increment > MAX_UINT31) return false
    this.available += increment
    return true
  }

  /**
   * Whether the credit is enough for a frame, so that a peer that grants single bytes does not get single-byte frames.
   */
  get worthwhile(): boolean {
    return this.available >= Math.max(1, Math.min(SMALL_SEND, Math.floor(this.initial / 4)))
  }
}
