/**
 * Heartbeats: 4 bytes out and the same 4 bytes back on a stream of a reserved type. Synchronous and total; times are in
 * milliseconds, random numbers come in as arguments.
 *
 * Wire: `docs/PROTOCOL.md`, section 6.2.
 *
 * @since 0.1.0
 */

/**
 * The stream type that Go, Rust and this implementation keep for heartbeats.
 *
 * @since 0.1.0
 * @category constants
 */
export const HEARTBEAT_TYPE = 0xffffffff

/**
 * The bytes of one heartbeat.
 *
 * @since 0.1.0
 * @category constants
 */
export const HEARTBEAT_LENGTH = 4

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeUint32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)

/**
 * The heartbeats that were sent and not answered. A number that was never sent, or that comes back twice, is ignored.
 *
 * @since 0.1.0
 * @category models
 */
export class PendingHeartbeats {
  /** The peer has reset their stream: it knows them, and takes no streams for now. */
  refused = false

  /** The round trip of the last answer, in milliseconds. */
  roundTrip: number | undefined = undefined

  private readonly sentAt = new Map<number, number>()
  private received = 0
  private receivedLength = 0

  /** Remembers a heartbeat; false when one with the same number is under way. */
  add(nonce: number, now: number): boolean {
    if (this.sentAt.has(nonce)) return false
    this.sentAt.set(nonce, now)
    return true
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
