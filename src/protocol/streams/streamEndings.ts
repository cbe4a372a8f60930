/**
 * How a stream ends: in order, by an RST of either side, or with its session.
 *
 * Wire: `docs/PROTOCOL.md`, section 5.
 *
 * @since 0.1.0
 */
import type { Budgets, Cost } from "../budgets.js"
import type { DeadlineQueue } from "../collections/deadlineQueue.js"
import type { Processed, StreamFailure } from "../endReason.js"
import type { EventQueue } from "../events.js"
import { StreamEvent } from "../events.js"
import type { Heartbeats } from "../heartbeats.js"
import type { CreditPolicy } from "../receiving/creditPolicy.js"
import type { ReceiveBuffer } from "../receiving/receiveBuffer.js"
import type { BlockedWriters } from "../sending/blockedWriters.js"
import type { Scheduler } from "../sending/scheduler.js"
import { ErrorCode } from "../wire/errorCode.js"
import type { StreamCore } from "./streamCore.js"
import type { StreamTable } from "./streamTable.js"

/**
 * The maximum number of queued RSTs, in addition to one for each stream that the peer may open. A peer that causes
 * more, and does not read them, is attacking.
 */
const MAX_PENDING_RESETS = 4096

interface Owners {
  readonly budgets: Budgets
  readonly credit: CreditPolicy
  readonly events: EventQueue
  readonly heartbeats: Heartbeats
  readonly received: ReceiveBuffer
  readonly scheduler: Scheduler
  readonly table: StreamTable
  readonly untyped: DeadlineQueue<StreamCore>
  readonly writers: BlockedWriters
}

/**
 * Ends the streams of one session.
 *
 * @since 0.1.0
 * @category models
 */
export class StreamEndings {
  constructor(
    private readonly owners: Owners,
    private readonly maxInboundStreams: number
  ) {}

  // --- resets

  /** Resets a stream. Sends an RST, unless the SYN was not sent. */
  reset(stream: StreamCore, code: ErrorCode): void {
    const { received, scheduler, table } = this.owners
    const announced = !stream.synDue
    received.truncate(stream)
    this.fail(stream, { _tag: "Reset", code, initiator: "Local", processed: announced ? "maybe" : "no" })
    if (announced && stream.initiator === "Remote") this.queueReset(stream.id, code)
    else if (announced) scheduler.reset(stream.id, code)
    else table.returnLocalId(stream.id)
  }

  /** Resets a stream because of a fault of the peer, or because of a limit. Bytes that arrived before stay readable. */
  resetForFault(stream: StreamCore, code: ErrorCode, cost: Cost | "nothing" = "reset"): void {
    this.fail(stream, { _tag: "Reset", code, initiator: "Local", processed: "maybe" })
    this.resetUnknown(stream.id, code, cost)
  }

  /** Sends an RST that the peer has caused on an id without a stream, and charges the peer for it. */
  resetUnknown(id: number, code: ErrorCode, cost: Cost | "nothing"): void {
    const { budgets, scheduler, table } = this.owners
    table.closed.ignoreLate(id)
    scheduler.cancelIncrement(id)
    this.queueReset(id, code)
    if (cost !== "nothing") budgets.charge(cost)
  }

  /** The peer has reset a stream. */
  resetByPeer(stream: StreamCore, code: ErrorCode): void {
    const refused = code === ErrorCode.StreamRefused || code === ErrorCode.AcceptQueueFull
    const processed = refused && !stream.answered ? "no" : "maybe"
    this.fail(stream, { _tag: "Reset", code, initiator: "Remote", processed })
    if (stream.initiator === "Remote") this.owners.budgets.charge("reset")
  }

  /** The application has detached the memory of unsent bytes. Resets only their stream. */
  bytesLost(stream: StreamCore): void {
    const { events, scheduler } = this.owners
    events.emit(new StreamEvent("BytesLost", stream))
    if (stream.failure === undefined) return this.reset(stream, ErrorCode.InternalError)
    // `close` has failed the stream, and only sends its rest: the RST tells the peer that the rest is missing
    scheduler.unschedule(stream)
    if (!stream.synDue) scheduler.reset(stream.id, ErrorCode.InternalError)
  }

  /**
   * The memory of received bytes was detached, so they cannot be read. Drops the rest of them, so that a FIN is not a
   * clean end. Resets the stream. If it has ended on the wire, it fails only for its reader.
   */
  receivedBytesLost(stream: StreamCore): void {
    const { received, table } = this.owners
    received.truncate(stream)
    if (stream.failure !== undefined) return
    if (table.get(stream.id) === stream) return this.bytesLost(stream)
    stream.fail({ _tag: "Reset", code: ErrorCode.InternalError, initiator: "Local", processed: "maybe" })
  }

  /**
   * Frees space for the bytes that a frame announces, if `ReceiveBuffer.hasRoom` is false: resets the streams that hold most.
   * False if that is not enough.
   */
  makeRoom(length: number): boolean {
    const { received, table } = this.owners
    return received.makeRoom(
      length,
      () => table.values(),
      (stream) => {
        received.truncate(stream)
        this.resetForFault(stream, ErrorCode.EnhanceYourCalm, "nothing")
        // this RST may have ended the session, which empties the table
        return table.size > 0
      }
    )
  }

  /** Limits the number of queued RSTs, because a peer that reads none could cause more without end. */
  private queueReset(id: number, code: ErrorCode): void {
    const { budgets, scheduler } = this.owners
    scheduler.reset(id, code)
    if (scheduler.pendingResets > MAX_PENDING_RESETS + this.maxInboundStreams) {
      budgets.exceeded("too many RSTs wait to be sent")
    }
  }

  // --- ends in order

  finReceived(stream: StreamCore): void {
    stream.inboundEnd = "Fin"
    this.owners.credit.settle(stream)
    stream.move("ReceiveFin")
    if (stream.state === "Closed") this.finish(stream)
  }

  finSent(stream: StreamCore): void {
    stream.move("SendFin")
    this.settle(stream)
  }

  /** Removes a stream if both directions have ended, or if this side has sent FIN and stopped reading. */
  settle(stream: StreamCore): void {
    const { credit, table } = this.owners
    // it may already be removed: it ended between the pieces of a frame, or before its reader stopped
    if (stream.failure !== undefined || table.get(stream.id) !== stream) return
    if (stream.state === "Closed") this.finish(stream)
    else if (stream.state === "HalfClosedLocal" && stream.reading === "Stopped") {
      // the peer may wait for credit to send bytes that nothing will read. With credit it sends them, and gets an RST
      credit.releaseAll(stream)
      stream.move("Release")
      table.closed.answerLate(stream.id, stream.receiveWindow.size)
      this.finish(stream)
    }
  }

  private finish(stream: StreamCore): void {
    const { events, scheduler } = this.owners
    if (stream.inboundEnd === "Fin") scheduler.cancelIncrement(stream.id)
    this.remove(stream)
    events.emit(new StreamEvent("Finished", stream))
  }

  // --- every end

  /** Removes a stream with a failure. Late frames on its id are ignored. */
  fail(stream: StreamCore, failure: StreamFailure): void {
    const { events, scheduler, table } = this.owners
    stream.fail(failure)
    stream.move("Reset")
    table.closed.ignoreLate(stream.id, stream.receiveWindow.size)
    scheduler.cancelIncrement(stream.id)
    this.remove(stream)
    if (stream.isShown) events.emit(new StreamEvent("Failed", stream))
  }

  /** Fails a stream on this side because of `close`. It stays in the table until its accepted bytes are sent. */
  failAndFlush(stream: StreamCore, end: Extract<StreamFailure, { _tag: "SessionEnded" }>["end"]): void {
    const { events, heartbeats, scheduler } = this.owners
    const hasNothing = stream.synDue && stream.outbound.length === 0 && stream.writing !== "Finishing"
    const processed: Processed = hasNothing ? "no" : "maybe"
    if (hasNothing) scheduler.unschedule(stream)
    stream.fail({ _tag: "SessionEnded", end, processed })
    if (stream.isShown) events.emit(new StreamEvent("Failed", stream))
    else heartbeats.lose(stream)
  }

  private remove(stream: StreamCore): void {
    const { credit, heartbeats, scheduler, table, untyped, writers } = this.owners
    scheduler.unschedule(stream)
    untyped.delete(stream)
    writers.forget(stream)
    // the stream stays in the backlog until the application takes it, because it can still be read
    if (table.remove(stream)) credit.forget(stream)
    heartbeats.left(stream)
  }
}
