/**
 * The numbers of a session, for people and for tests.
 *
 * @since 0.1.0
 */
import type { Owners } from "./owners.js"

/**
 * Numbers for people, all 0 at rest except the last four.
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
  /** Received bytes that the application has not read, in streams that are alive on the wire. */
  readonly bufferedBytes: number
  /** The same, with those of streams that are over on the wire and can still be read. */
  readonly heldBytes: number
  /** By how much the receive windows of live streams have grown. */
  readonly grownBytes: number
  /** Gaps in the peer's stream ids that are remembered. */
  readonly idGaps: number
  /** Live streams, heartbeats included. */
  readonly tableSize: number
  /** What is charged to the peer's budgets: see `SessionOptions`. It runs out with time, but for the increments. */
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
  /** Round trip of the last heartbeat in milliseconds. */
  readonly roundTrip: number | undefined
}

/**
 * The numbers of this moment. `now` is in milliseconds.
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
