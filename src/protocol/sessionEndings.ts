/**
 * How a session ends: in order, by a fault of the peer, by a transport failure, or because the peer leaves or is dead.
 *
 * Wire: `docs/PROTOCOL.md`, sections 5 and 8.
 *
 * @since 0.1.0
 */
import type { DeadlineQueue } from "./collections/deadlineQueue.js"
import type { SessionEnd } from "./endReason.js"
import type { EventQueue } from "./events.js"
import type { Heartbeats } from "./heartbeats.js"
import type { Lifecycle } from "./lifecycle.js"
import type { CreditPolicy } from "./receiving/creditPolicy.js"
import type { BlockedWriters } from "./sending/blockedWriters.js"
import type { Scheduler } from "./sending/scheduler.js"
import type { AcceptBacklog } from "./streams/acceptBacklog.js"
import type { StreamCore } from "./streams/streamCore.js"
import type { StreamEndings } from "./streams/streamEndings.js"
import type { StreamTable } from "./streams/streamTable.js"
import { ErrorCode } from "./wire/errorCode.js"
import type { GoAway, Malformed } from "./wire/frame.js"
import { FrameType } from "./wire/frame.js"

interface Owners {
  readonly backlog: AcceptBacklog
  readonly credit: CreditPolicy
  readonly events: EventQueue
  readonly heartbeats: Heartbeats
  readonly lifecycle: Lifecycle
  readonly scheduler: Scheduler
  readonly streamEndings: StreamEndings
  readonly table: StreamTable
  readonly untyped: DeadlineQueue<StreamCore>
  readonly writers: BlockedWriters
}

type Dead = Extract<SessionEnd, { readonly _tag: "Dead" }>
type TransportFailed = Extract<SessionEnd, { readonly _tag: "TransportFailed" }>

/**
 * Ends one session.
 *
 * @since 0.1.0
 * @category models
 */
export class SessionEndings {
  constructor(private readonly owners: Owners) {}

  // --- this side leaves

  /** Sends GOAWAY at once: this side accepts no more streams. */
  goAway(code: ErrorCode, text: string): void {
    const { lifecycle, scheduler } = this.owners
    if (!lifecycle.isTalking) return
    lifecycle.say(code, text)
    const { closed } = lifecycle
    scheduler.setGoAway(this.goAwayFrame(closed.code ?? code, closed.debug ?? text), "Now")
  }

  /** Fails every stream on this side. The bytes that they had accepted are sent, and then the GOAWAY. */
  close(code: ErrorCode, text: string): void {
    const { credit, lifecycle, scheduler, streamEndings, table, untyped, writers } = this.owners
    if (!lifecycle.close()) return
    lifecycle.say(code, text)
    const { closed } = lifecycle
    for (const stream of table.values()) streamEndings.failAndFlush(stream, closed)
    untyped.clear()
    credit.stop()
    writers.clear()
    scheduler.setGoAway(this.goAwayFrame(closed.code ?? ErrorCode.NoError, closed.debug ?? ""), "Last")
  }

  /** Ends the session at once. `Connection.takeFrames` calls it too, when everything was sent after `close`. */
  abort(): void {
    this.over(this.owners.lifecycle.closed)
  }

  // --- the peer

  /**
   * The peer broke a rule: ends the session with GOAWAY and the code, and drops everything else. `end` replaces the
   * reason.
   */
  closeWithError(code: ErrorCode, detail: string, end?: SessionEnd): void {
    const { lifecycle, scheduler } = this.owners
    if (lifecycle.isOver) return
    scheduler.abandon()
    scheduler.setGoAway(this.goAwayFrame(code, detail), "Now")
    this.over(end ?? { _tag: "Violation", code, detail, initiator: "Local" })
  }

  /** The peer leaves: fails the streams of this side above the last id of its GOAWAY. */
  peerLeaves({ code, debug, lastStreamId }: GoAway): void {
    const { events, lifecycle, streamEndings, table } = this.owners
    const heard = lifecycle.hear({ _tag: "GoneAway", lastStreamId, code, debug: debug.slice() })
    events.emit({ _tag: "GoneAway", lastStreamId: heard.lastStreamId, code })
    if (lifecycle.isClosing) return
    for (const stream of table.values()) {
      if (stream.initiator === "Remote" || stream.id <= heard.lastStreamId) continue
      // Go's last id can be too low: a stream that the peer answered was processed
      const processed = stream.answered ? "maybe" : "no"
      streamEndings.fail(stream, { _tag: "SessionEnded", end: heard, processed })
    }
  }

  /** The peer's bytes are not a valid frame. */
  malformed({ code, message, type }: Malformed): void {
    const { lifecycle } = this.owners
    // Rust's GOAWAY announces 8 bytes too few, so it may be too short. It still means that the peer leaves
    if (type === FrameType.GoAway && code === ErrorCode.FrameSizeError) {
      const nothing = new Uint8Array(0)
      const said = { _tag: "GoneAway", lastStreamId: 0x7fffffff, code: ErrorCode.NoError, debug: nothing } as const
      return this.closeWithError(code, message, lifecycle.hear(said))
    }
    // after Rust's GOAWAY come the last 8 bytes of its text, which may look like any frame. So that GOAWAY stays the
    // reason
    this.closeWithError(code, message, lifecycle.remoteEnd)
  }

  /** The peer is dead, or the transport accepts no bytes. */
  dead(verdict: Dead): void {
    const { heartbeats, lifecycle } = this.owners
    if (lifecycle.isClosing) return this.over(lifecycle.closed)
    // the last 8 bytes of Rust's GOAWAY text may look like the start of a frame. That GOAWAY is then the reason
    if (verdict.reason === "PartialFrame") return this.over(lifecycle.remoteEnd ?? verdict)
    // a peer that leaves refuses a new heartbeat stream, so a missing answer does not show that it is untyped
    const answered = heartbeats.areKnown || lifecycle.remoteGoAway !== undefined
    this.over(verdict.reason === "WriteStalled" || answered ? verdict : { ...verdict, neverAnswered: true })
  }

  /** The transport has failed or ended. If the peer had sent GOAWAY, that GOAWAY is the reason. */
  transportFailed(end: TransportFailed): void {
    const { lifecycle } = this.owners
    this.over(lifecycle.isClosing ? lifecycle.closed : (lifecycle.remoteEnd ?? end))
  }

  // --- every end

  /** Ends the session: fails every stream, and drops all output except a queued GOAWAY. */
  private over(end: SessionEnd): void {
    const { backlog, credit, events, heartbeats, lifecycle, scheduler, streamEndings, table, untyped, writers } =
      this.owners
    if (!lifecycle.finish(end)) return
    for (const stream of table.values()) {
      // streams that `close` failed were in the table only until their bytes were sent
      if (stream.failure === undefined) {
        streamEndings.fail(stream, { _tag: "SessionEnded", end, processed: stream.synDue ? "no" : "maybe" })
      } else {
        heartbeats.left(stream)
      }
    }
    scheduler.abandon()
    table.clear()
    backlog.clear()
    credit.clear()
    untyped.clear()
    writers.clear()
    events.emit({ _tag: "Ended", end })
  }

  private goAwayFrame(code: ErrorCode, text: string): GoAway {
    return this.owners.lifecycle.goAwayFrame(this.owners.table.highestRemote, code, text)
  }
}
