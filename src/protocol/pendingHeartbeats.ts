/**
 * The heartbeats of this side that the peer has not answered. Times are in milliseconds.
 *
 * Wire: `docs/PROTOCOL.md`, section 6.2.
 *
 * @since 0.1.0
 */
import { HEARTBEAT_LENGTH } from "./wire/heartbeat.js"

/**
 * The unanswered heartbeats of one session, by number. Ignores answers with a number that was never sent, and repeated
 * answers.
 *
 * @since 0.1.0
 * @category models
 */
export class PendingHeartbeats {
  /** The round trip of the last answer, in milliseconds. */
  roundTrip: number | undefined = undefined

  private readonly sentAt = new Map<number, number>()
  private received = 0
  private receivedLength = 0

  /** Remembers a heartbeat. False if one with the same number is pending. */
  add(nonce: number, now: number): boolean {
    if (this.sentAt.has(nonce)) return false
    this.sentAt.set(nonce, now)
    return true
  }

  /** Whether a heartbeat with this number waits for its answer. */
  has(nonce: number): boolean {
    return this.sentAt.has(nonce)
  }

  /** Reads bytes of answers, in pieces of any length. Returns the numbers that they answer. */
  receive(bytes: Uint8Array, now: number): ReadonlyArray<{ readonly nonce: number; readonly roundTrip: number }> {
    const answered: Array<{ readonly nonce: number; readonly roundTrip: number }> = []
    for (const byte of bytes) {
      this.received = ((this.received << 8) | byte) >>> 0
      if (++this.receivedLength < HEARTBEAT_LENGTH) continue
      this.receivedLength = 0
      const sentAt = this.sentAt.get(this.received)
      if (sentAt === undefined) continue
      this.sentAt.delete(this.received)
      this.roundTrip = now - sentAt
      answered.push({ nonce: this.received, roundTrip: this.roundTrip })
    }
    return answered
  }

  /** The heartbeat stream has ended: returns the unanswered numbers, and forgets them. */
  takeLost(): ReadonlyArray<number> {
    const lost = [...this.sentAt.keys()]
    this.sentAt.clear()
    this.receivedLength = 0
    return lost
  }
}
