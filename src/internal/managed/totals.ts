/** The statistics of a managed session: of all its sessions so far. */
import type { SessionStats } from "../session/sessionService.js"

const NONE: SessionStats = {
  inboundStreams: 0,
  outboundStreams: 0,
  backlog: 0,
  queuedBytes: 0,
  bufferedBytes: 0,
  heldBytes: 0,
  grownBytes: 0,
  idGaps: 0,
  tableSize: 0,
  charged: { resets: 0, refusals: 0, uselessFrames: 0, increments: 0 },
  roundTrip: undefined,
  opened: 0,
  accepted: 0,
  lost: 0,
  peakStreams: 0,
  bytesSent: 0,
  bytesReceived: 0
}

export class Totals {
  private past: SessionStats = NONE

  /** A session has ended. What it was doing is over, and its totals stay. */
  ended({ accepted, bytesReceived, bytesSent, lost, opened, peakStreams }: SessionStats): void {
    this.past = sum(this.past, { ...NONE, accepted, bytesReceived, bytesSent, lost, opened, peakStreams })
  }

  /** With the statistics of the sessions that live now. */
  with(lives: ReadonlyArray<SessionStats>): SessionStats {
    return lives.reduce(sum, this.past)
  }
}

/** The sum of two; of `peakStreams`, the higher one, and of `roundTrip`, the later one. */
const sum = (a: SessionStats, b: SessionStats): SessionStats => ({
  inboundStreams: a.inboundStreams + b.inboundStreams,
  outboundStreams: a.outboundStreams + b.outboundStreams,
  backlog: a.backlog + b.backlog,
  queuedBytes: a.queuedBytes + b.queuedBytes,
  bufferedBytes: a.bufferedBytes + b.bufferedBytes,
  heldBytes: a.heldBytes + b.heldBytes,
  grownBytes: a.grownBytes + b.grownBytes,
  idGaps: a.idGaps + b.idGaps,
  tableSize: a.tableSize + b.tableSize,
  charged: {
    resets: a.charged.resets + b.charged.resets,
    refusals: a.charged.refusals + b.charged.refusals,
    uselessFrames: a.charged.uselessFrames + b.charged.uselessFrames,
    increments: a.charged.increments + b.charged.increments
  },
  roundTrip: b.roundTrip ?? a.roundTrip,
  opened: a.opened + b.opened,
  accepted: a.accepted + b.accepted,
  lost: a.lost + b.lost,
  peakStreams: Math.max(a.peakStreams, b.peakStreams),
  bytesSent: a.bytesSent + b.bytesSent,
  bytesReceived: a.bytesReceived + b.bytesReceived
})
