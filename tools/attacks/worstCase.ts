/** The most memory that one session can be made to hold: the formula of `docs/security.md`. */

const KIB = 1024
const MIB = 1024 * KIB

/** Received bytes are kept in the chunks in which they came, of which they are at least half. */
const CHUNK_PER_BYTE = 2

/** A stream with a handler that reads and writes; 2 KiB without one. */
const STREAM = 16 * KIB

/** One chunk of 64 KiB with its 8 192 frames, what the transport is about to write, ids, RSTs that wait. */
const SESSION = 4 * MIB

export interface Limits {
  readonly maxReceiveBuffer: number
  readonly maxSendBuffer: number
  readonly maxInboundStreams: number
  readonly window: number
  readonly growthLimit: number
}

export const worstCase = ({
  growthLimit,
  maxInboundStreams,
  maxSendBuffer,
  maxReceiveBuffer,
  window
}: Limits): number =>
  CHUNK_PER_BYTE * Math.min(maxReceiveBuffer, maxInboundStreams * window + growthLimit) +
  maxSendBuffer +
  maxInboundStreams * STREAM +
  SESSION
