/**
 * The options of the core. Pure data.
 *
 * @since 0.1.0
 */
import type { BudgetOptions } from "./budgets.js"
import type { LivenessOptions } from "./liveness.js"

/**
 * Which end of the connection a session is: the streams of a client have odd ids, those of a server even ones.
 *
 * @since 0.1.0
 * @category models
 */
export type Role = "client" | "server"

/**
 * What a session is configured with: sizes in bytes, times in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionOptions extends LivenessOptions, BudgetOptions {
  readonly role: Role
  /** Every stream begins with a 4-byte type. */
  readonly typed: boolean
  /** What the peer may send on a stream before its first WNDINC. */
  readonly window: number
  /** What the window of a stream may grow to. */
  readonly maxWindow: number
  /** By how much all windows together may grow. */
  readonly growthLimit: number
  /** What it takes on a stream before its first WNDINC. */
  readonly peerWindow: number
  /** The payload bytes that may wait to be sent. */
  readonly maxSendBuffer: number
  /** The received bytes that may wait to be read, in all streams together. */
  readonly maxReceiveBuffer: number
  readonly acceptBacklog: number
  readonly maxInboundStreams: number
  readonly maxOutboundStreams: number
  /** Gaps in the peer's stream ids that are remembered. */
  readonly maxIdGaps: number
  /** How long a stream may take to send its type. */
  readonly typeTimeout: number
  /** The id of the first stream of this side, for tests of the end of the ids. */
  readonly firstStreamId?: number | undefined
}
