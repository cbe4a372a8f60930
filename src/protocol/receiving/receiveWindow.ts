/**
 * The receive window of one stream, in payload bytes: what the peer may send.
 *
 * Wire: `docs/PROTOCOL.md`, section 4. Windows are not negotiated: each side starts from its own configuration, by
 * convention 256 KiB.
 *
 * @since 0.1.0
 */
/**
 * What both sides take for granted before the first WNDINC, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const CONVENTIONAL_WINDOW = 256 * 1024

/** Below this (bytes, or a sixteenth of our window), where a peer fell silent is not taken for its window. */
const SMALLEST_GUESS = 1024

/** So many grants in a row at a guessed smaller window, and a larger one is tried again. */
const GRANTS_BEFORE_DOUBT = 16

/**
 * What we let the peer send.
 *
 * Credit goes back when the application has consumed half of the first window, or a part of one that has grown. A peer
 * that starts from a smaller window than ours would stall below that half, and nobody can tell a stalled peer from one that
 * has nothing to say; so when the buffer has run empty and stayed so for a moment, what is due is granted all the same,
 * and the point where the peer fell silent is taken for its window until it proves larger. A window may grow; it never
 * shrinks, since what was granted cannot be taken back.
 *
 * @since 0.1.0
 * @category models
 */
export class ReceiveWindow {
  /** The most that may be on its way or wait here. */
  size: number
  /** Bytes the peer may still send, as we count them. */
  available: number
  /** Bytes the application has consumed and that were not granted again. */
  consumed = 0

  /** The window from which the peer seems to have started. */
  private assumed: number
  private readonly conventional: number
  private earlyGrants = 0
  /** The most that was ever received and not granted again: the peer's window, grown as it is, is no smaller. */
  private most = 0

  constructor(private readonly initial: number) {
    this.size = initial
    this.available = initial
    this.conventional = Math.min(initial, CONVENTIONAL_WINDOW)
    this.assumed = this.conventional
  }

  /** By how much it is larger than it was at first, in bytes. */
  get grown(): number {
    return this.size - this.initial
  }

  /** The increment that is sent now gives so much more. */
  grow(bytes: number): void {
    this.size += bytes
    this.available += bytes
  }

  /** Takes the bytes that a frame's header announces; false when they are more than the window. */
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

  /** The application has consumed (or dropped) so many bytes. */
  consume(length: number): void {
    this.consumed += length
  }

  /**
   * The increment to send now, or 0 while it is too little to be worth a frame. A `near` peer has credit for longer than
   * an increment takes to come: a third of all that has grown is waited for.
   */
  takeDue(near = false): number {
    if (this.consumed === 0 || this.consumed * 2 < this.assumed) return 0
    if (near && this.grown > 0 && this.consumed * 3 < this.assumed + this.grown) return 0
    if (this.assumed < this.conventional && ++this.earlyGrants >= GRANTS_BEFORE_DOUBT) {
      this.assumed = Math.min(this.conventional, this.assumed * 2)
      this.earlyGrants = 0
    }
    return this.takeAll()
  }

  /** Where all that was received is consumed: whether the peer has credit left, as it once had more on its way. */
  get leavesCredit(): boolean {
    return this.consumed < this.most
  }

  /** The increment to send to a peer that has been silent since the buffer ran empty. */
  takeStalled(): number {
    if (this.consumed === 0) return 0
    // a few bytes are a short message rather than somebody's window
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
