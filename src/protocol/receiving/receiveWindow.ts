/**
 * The receive window of one stream: the payload bytes that the peer may send.
 *
 * Wire: `docs/PROTOCOL.md`, section 4. Windows are not negotiated: each side starts from its own configuration, by
 * convention 256 KiB.
 *
 * @since 0.1.0
 */
/**
 * The window that both sides assume before the first WNDINC, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const CONVENTIONAL_WINDOW = 256 * 1024

/**
 * If the peer stops after fewer bytes than this (or than 1/16 of our window, if that is less), their number is not
 * taken as its window.
 */
const SMALLEST_GUESS = 1024

/** After this number of consecutive grants at an assumed smaller window, twice that window is assumed. */
const GRANTS_BEFORE_DOUBT = 16

/**
 * The credit that this side gives the peer on one stream.
 *
 * Credit is granted when the application has consumed half of the first window. To a near peer (with a round trip of at
 * most 1 ms) it is granted when a third of a window that has grown is consumed, if that is later.
 *
 * A peer that starts from a smaller window may stall before that, and this side cannot distinguish a stalled peer from
 * a silent one. So when the buffer has been empty for 10 ms (200 ms if the peer has credit left), all consumed bytes
 * are granted. Their number is then assumed to be the peer's window, until the peer sends more.
 *
 * A window may grow. It never shrinks, because granted credit cannot be revoked.
 *
 * @since 0.1.0
 * @category models
 */
export class ReceiveWindow {
  /** The maximum number of bytes in transit or unread. */
  size: number
  /** Bytes that the peer may still send, by our count. */
  available: number
  /** Consumed bytes that were not granted again. */
  consumed = 0

  /** The assumed first window of the peer. */
  private assumed: number
  private readonly conventional: number
  private earlyGrants = 0
  /** The largest number of bytes that were received and not granted again. The peer's window is at least this large. */
  private most = 0

  constructor(private readonly initial: number) {
    this.size = initial
    this.available = initial
    this.conventional = Math.min(initial, CONVENTIONAL_WINDOW)
    this.assumed = this.conventional
  }

  /** The growth since the start, in bytes. */
  get grown(): number {
    return this.size - this.initial
  }

  /** The window grows. The caller adds `bytes` to the increment that it sends. */
  grow(bytes: number): void {
    this.size += bytes
    this.available += bytes
  }

  /** Counts the bytes that a frame's header announces. False if they exceed the available window. */
  receive(length: number): boolean {
    if (length > this.available) return false
    this.available -= length
    const outstanding = this.size - this.available
    if (outstanding > this.most) this.most = outstanding
    if (outstanding > this.assumed) {
      this.assumed = this.conventional
      this.earlyGrants = 0
    }
    return true
  }

  /** The application has consumed or dropped bytes. */
  consume(length: number): void {
    this.consumed += length
  }

  /**
   * The increment to send now, or 0 while it is too small. A `near` peer still has credit when an increment arrives, so
   * for it a grown window waits until a third is consumed.
   */
  takeDue(near = false): number {
    if (this.consumed * 2 < this.assumed) return 0
    if (near && this.consumed * 3 < this.assumed + this.grown) return 0
    if (this.assumed < this.conventional && ++this.earlyGrants >= GRANTS_BEFORE_DOUBT) {
      this.assumed = Math.min(this.conventional, this.assumed * 2)
      this.earlyGrants = 0
    }
    return this.takeAll()
  }

  /**
   * Whether the peer has credit left, because it once had more bytes outstanding. Call it when all received bytes are
   * consumed.
   */
  get leavesCredit(): boolean {
    return this.consumed < this.most
  }

  /** The increment to send to a peer that stayed silent after the buffer became empty. */
  takeStalled(): number {
    // fewer bytes are probably a short message, and not the peer's window
    if (this.consumed >= Math.min(SMALLEST_GUESS, this.conventional / 16)) {
      this.assumed = Math.min(this.assumed, this.consumed)
      this.earlyGrants = 0
    }
    return this.takeAll()
  }

  /** Everything that was consumed, as an increment. */
  takeAll(): number {
    const increment = this.consumed
    this.consumed = 0
    this.available += increment
    return increment
  }
}
