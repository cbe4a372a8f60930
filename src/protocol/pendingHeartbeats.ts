/**
 * The heartbeats of this side that the peer has not answered, by their numbers. Times are in milliseconds.
 *
 * Wire: `docs/PROTOCOL.md`, section 6.2.
 *
 * @since 0.1.0
 */
import { HEARTBEAT_LENGTH } from "./wire/heartbeat.js"

/**
 * The heartbeats that were sent and not answered. A number that was never sent, or that comes back twice, is ignored.
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

  /** Remembers a heartbeat. False if one with the same number waits for its answer. */
  add(nonce: number, now: number): boolean {
    if (this.sentAt.has(nonce)) return false
    this.sentAt.set(nonce, now)
    return true
  }

  /** Whether a heartbeat with this number waits for its answer. */
  has(nonce: number): boolean {
    return this.sentAt.has(nonce)
  }

  /** Takes bytes of the answers, in pieces of any length, and gives the numbers that were answered by them. */
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

  /** Their stream is gone: gives the numbers that will not be answered, and starts anew. */
  takeLost(): ReadonlyArray<number> {
    const lost = [...this.sentAt.keys()]
    this.sentAt.clear()
    this.receivedLength = 0
    return lost
  }
}
