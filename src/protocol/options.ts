/**
 * The options of the core.
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
 * The configuration of a session: sizes in bytes, times in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionOptions extends LivenessOptions, BudgetOptions {
  readonly role: Role
  /** Every stream begins with a 4-byte type. */
  readonly typed: boolean
  /** The bytes that the peer may send on a stream before this side sends a WNDINC. */
  readonly window: number
  /** The largest receive window of a stream. */
  readonly maxWindow: number
  /** The largest growth of all receive windows together. */
  readonly growthLimit: number
  /** The bytes that this side may send on a stream before the peer sends a WNDINC. */
  readonly peerWindow: number
  /** The payload bytes that may wait to be sent, for all streams together. */
  readonly maxSendBuffer: number
  /** The received bytes that may wait to be read, for all streams together. */
  readonly maxReceiveBuffer: number
  readonly acceptBacklog: number
  readonly maxInboundStreams: number
  readonly maxOutboundStreams: number
  /** The gaps in the peer's stream ids that this side remembers. */
  readonly maxIdGaps: number
  /** How long a stream may take to send its type. */
  readonly typeTimeout: number
  /** A drain begins with a GOAWAY. Without it, the peer learns of the drain only by RST, and by the GOAWAY at its end. */
  readonly announceDrain: boolean
  /** The first stream id of this side. Tests set it to reach the last id. */
  readonly firstStreamId?: number | undefined
}
