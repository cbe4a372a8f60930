/**
 * How a stream ends: in order, by an RST of either side, or with its session. A stream leaves the session here and
 * nowhere else.
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
 * RSTs that may wait to be sent, beside one for each live stream. A peer that causes more, and takes none of them, is
 * attacking.
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

  /** This side ends a stream at once. The peer gets an RST, unless it never heard of the stream. */
  reset(stream: StreamCore, code: ErrorCode): void {
    const { received, scheduler, table } = this.owners
    const announced = !stream.synDue
    received.truncate(stream)
    this.fail(stream, { _tag: "Reset", code, initiator: "Local", processed: announced ? "maybe" : "no" })
    if (announced && stream.initiator === "Remote") this.queueReset(stream.id, code)
    else if (announced) scheduler.reset(stream.id, code)
    else table.returnLocalId(stream.id)
  }

  /** A stream of the peer breaks a rule, or is too much: it is reset, and what arrived before stays readable. */
  resetForFault(stream: StreamCore, code: ErrorCode, cost: Cost | "nothing" = "reset"): void {
    this.fail(stream, { _tag: "Reset", code, initiator: "Local", processed: "maybe" })
    this.resetUnknown(stream.id, code, cost)
  }

  /** An RST that the peer has provoked on an id without a stream, and what it costs the peer. */
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

  /** Bytes that the application gave a stream cannot be sent: it has detached their memory. Only that stream ends. */
  bytesLost(stream: StreamCore): void {
    const { events, scheduler } = this.owners
    if (stream.isShown) events.emit(new StreamEvent("BytesLost", stream))
    if (stream.failure === undefined) return this.reset(stream, ErrorCode.InternalError)
    // `close` has failed it already, and only flushes it: the peer must not take what was sent for the whole
    scheduler.unschedule(stream)
    if (!stream.synDue) scheduler.reset(stream.id, ErrorCode.InternalError)
  }

  /**
   * Bytes that arrived cannot be read: the memory of the transport's chunk was detached. What is left of them is dropped,
   * so that a FIN behind them is no end. A stream that is over on the wire fails for its reader alone.
   */
  receivedBytesLost(stream: StreamCore): void {
    const { received, table } = this.owners
    received.truncate(stream)
    if (stream.failure !== undefined) return
    if (table.get(stream.id) === stream) return this.bytesLost(stream)
    stream.fail({ _tag: "Reset", code: ErrorCode.InternalError, initiator: "Local", processed: "maybe" })
  }

  /**
   * Makes room for the bytes that a frame announces, where `ReceiveBuffer.hasRoom` says that there is none: resets the
   * streams that hold most. False if that would not be enough.
   */
  makeRoom(length: number): boolean {
    const { received, table } = this.owners
    return received.makeRoom(
      length,
      () => table.values(),
      (stream) => {
        received.truncate(stream)
        this.resetForFault(stream, ErrorCode.EnhanceYourCalm, "nothing")
        // one RST too many ends the session, which empties the table
        return table.size > 0
      }
    )
  }

  /** RSTs that wait are bounded: a peer that reads none of them must not cause more. */
  private queueReset(id: number, code: ErrorCode): void {
    const { budgets, scheduler } = this.owners
    scheduler.reset(id, code)
    if (scheduler.pendingResets > MAX_PENDING_RESETS + this.maxInboundStreams) {
      budgets.exceeded("too many streams that had to be reset")
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

  /** A stream leaves once neither side has anything more to do with it. */
  settle(stream: StreamCore): void {
    const { credit, table } = this.owners
    // it may have left before: between the pieces of a frame, or before its reader stopped
    if (stream.failure !== undefined || table.get(stream.id) !== stream) return
    if (stream.state === "Closed") this.finish(stream)
    else if (stream.state === "HalfClosedLocal" && stream.reading === "Stopped") {
      // the peer may wait for credit to send what nothing will read: with it, its DATA draws an RST
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
    if (stream.isShown) events.emit(new StreamEvent("Finished", stream))
  }

  // --- every end

  /** Takes a stream out with a failure. Late frames on its id are ignored. */
  fail(stream: StreamCore, failure: StreamFailure): void {
    const { events, scheduler, table } = this.owners
    stream.fail(failure)
    stream.move("Reset")
    table.closed.ignoreLate(stream.id, stream.receiveWindow.size)
    scheduler.cancelIncrement(stream.id)
    this.remove(stream)
    if (stream.isShown) events.emit(new StreamEvent("Failed", stream))
  }

  /** `close` was called. A stream fails here, and stays in the table until what it had accepted is sent. */
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
    // one that is in the backlog stays there until the application takes it: it can still be read
    if (table.remove(stream)) credit.forget(stream)
    heartbeats.left(stream)
  }
}
