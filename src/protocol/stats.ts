/**
 * The statistics of a session, for people and for tests.
 *
 * @since 0.1.0
 */
import type { Owners } from "./owners.js"

/**
 * The statistics of one session. At rest all are 0, except `idGaps`, `tableSize`, `charged` and `roundTrip`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionStats {
  /** Live streams of the peer, without heartbeats. */
  readonly inboundStreams: number
  /** Live streams of this side, without heartbeats. */
  readonly outboundStreams: number
  /** Streams of the peer that the application has not accepted yet. */
  readonly backlog: number
  /** Payload bytes accepted from the application and not yet handed to the transport. */
  readonly queuedBytes: number
  /** Received bytes that the application has not read, in streams that are open on the wire. */
  readonly bufferedBytes: number
  /** All received bytes that the application has not read, including those of streams that have ended on the wire. */
  readonly heldBytes: number
  /** By how much the receive windows of live streams have grown. */
  readonly grownBytes: number
  /** The gaps in the peer's stream ids that this side remembers. */
  readonly idGaps: number
  /** Live streams, heartbeats included. */
  readonly tableSize: number
  /** What is charged to the peer's budgets: see `SessionOptions`. Charges drain with time, except the increments. */
  readonly charged: {
    /** Of `resetBudget`. */
    readonly resets: number
    /** Of `refusalBudget`. */
    readonly refusals: number
    /** Of `uselessFrameBudget`. */
    readonly uselessFrames: number
    /** Of `spareIncrements`. */
    readonly increments: number
  }
  /** The round trip of the last answered heartbeat, in milliseconds. */
  readonly roundTrip: number | undefined
}

/**
 * The current statistics. `now` is in milliseconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connectionStats = (owners: Owners, now: number): ConnectionStats => {
  const { backlog, budgets, capacity, credit, heartbeats, received, table } = owners
  let bufferedBytes = 0
  for (const stream of table.values()) bufferedBytes += stream.inbound.length
  return {
    inboundStreams: table.inboundCount,
    outboundStreams: table.outboundCount,
    backlog: backlog.size,
    queuedBytes: capacity.queued,
    bufferedBytes,
    heldBytes: received.held,
    grownBytes: credit.grown,
    idGaps: table.idGaps,
    tableSize: table.size,
    charged: budgets.charged(now),
    roundTrip: heartbeats.roundTrip
  }
}
