/**
 * The state of one session, and the few verbs with which everything else changes it. Synchronous and total.
 *
 * @since 0.1.0
 */
import type { Cost } from "./budgets.js"
import { Budgets } from "./budgets.js"
import { CreditPolicy } from "./receiving/creditPolicy.js"
import { DeadlineQueue } from "./collections/deadlineQueue.js"
import type { Closed, GoneAway, Processed, SessionEnd, StreamFailure } from "./endReason.js"
import { endBy } from "./endReason.js"
import type { ErrorCode } from "./wire/errorCode.js"
import { ErrorCode as Code } from "./wire/errorCode.js"
import type { Event } from "./events.js"
import { StreamEvent } from "./events.js"
import type { GoAway } from "./wire/frame.js"
import { debugBytes, goAway } from "./wire/frame.js"
import { PendingHeartbeats } from "./heartbeats.js"
import { Liveness } from "./liveness.js"
import { newArray } from "./collections/v8.js"
import type { ConnectionOptions } from "./options.js"
import { SendCapacity } from "./sending/sendCapacity.js"
import { ReceiveBuffer } from "./receiving/receiveBuffer.js"
import { Scheduler } from "./sending/scheduler.js"
import type { StreamCore } from "./streams/streamCore.js"
import { StreamTable } from "./streams/streamTable.js"

/** RSTs that may wait to be sent, beside one for each live stream; a peer that has more sent and takes none is up to no good. */
const MAX_PENDING_RESETS = 4096

/** How long a writer waits for more credit than a few bytes, in milliseconds. */
const SMALL_CREDIT_DELAY = 5

/**
 * Shared by the modules that receive, send and command; not used outside `src/protocol/`.
 *
 * @since 0.1.0
 * @category models
 */
export class Core {
  readonly table: StreamTable
  readonly outbound: Scheduler
  readonly capacity: SendCapacity
  readonly received: ReceiveBuffer
  readonly credit: CreditPolicy
  readonly liveness: Liveness
  readonly heartbeats = new PendingHeartbeats()
  readonly budgets: Budgets

  /** Streams whose type has not arrived. */
  readonly untyped: DeadlineQueue<StreamCore>
  /** Streams whose writer waits for more credit than a few bytes. */
  readonly waitingForCredit = new DeadlineQueue<StreamCore>(SMALL_CREDIT_DELAY)

  /** The stream on which our own heartbeats go out. */
  heartbeatStream: StreamCore | undefined = undefined
  /** The stream on which the peer's are answered: one is enough. */
  responder: StreamCore | undefined = undefined

  /** No new streams are taken or opened. */
  draining = false
  /** A GOAWAY was sent ahead of time: no new streams are taken. */
  refusing = false
  /** `close` was called: what was accepted is flushed, then comes the GOAWAY. */
  closing = false
  end: SessionEnd | undefined = undefined
  remoteGoAway: GoneAway | undefined = undefined

  /** The end that this side's own leaving is, with what it has said of why. */
  closed: Closed = { _tag: "Closed" }

  /** What makes it likely that one side is typed and the other is not. */
  suspicion: string | undefined = undefined

  /** The time of the last input. */
  now: number

  /** How many streams of the peer will be taken as they come: they need no place in the backlog. */
  acceptCapacity = 0

  /** An `open` was refused for want of room. */
  openBlocked = false

  /** What the first GOAWAY of ours said. */
  private lastTaken: number | undefined = undefined
  private idleAnnounced = false
  private events: Array<Event> = newArray()

  constructor(
    readonly options: ConnectionOptions,
    now: number
  ) {
    this.now = now
    this.budgets = new Budgets(options, now)
    this.table = new StreamTable(options)
    this.capacity = new SendCapacity(options.maxSendBuffer)
    this.received = new ReceiveBuffer(options.maxReceiveBuffer)
    this.outbound = new Scheduler(
      this.capacity,
      (stream) => this.finSent(stream),
      (stream) => this.bytesLost(stream)
    )
    this.credit = new CreditPolicy(options, this.table, this.outbound)
    this.liveness = new Liveness(options, now)
    this.untyped = new DeadlineQueue(options.typeTimeout)
  }

  emit(event: Event): void {
    this.events.push(event)
  }

  takeEvents(): ReadonlyArray<Event> {
    if (this.events.length === 0) return NO_EVENTS
    const events = this.events
    this.events = newArray()
    return events
  }

  // --- ends of streams

  /** This side ends a stream at once. The peer gets an RST, unless it never heard of the stream. */
  reset(stream: StreamCore, code: ErrorCode, processed: Processed = "maybe"): void {
    const announced = !stream.synDue
    this.received.truncate(stream)
    this.fail(stream, { _tag: "Reset", code, initiator: "Local", processed: announced ? processed : "no" })
    if (announced && stream.initiator === "Remote") this.queueReset(stream.id, code)
    else if (announced) this.outbound.reset(stream.id, code)
    else this.table.returnLocalId(stream.id)
  }

  /** A stream breaks the rules, or is too much: it is reset, and what arrived before stays readable. */
  resetStream(stream: StreamCore, code: ErrorCode, cost: Cost | "nothing" = "reset"): void {
    this.fail(stream, { _tag: "Reset", code, initiator: "Local", processed: "maybe" })
    this.sendReset(stream.id, code, cost)
  }

  /** Bytes that the application gave a stream cannot be sent: it has detached their memory. Only that stream ends. */
  bytesLost(stream: StreamCore): void {
    if (stream.shown) this.emit(new StreamEvent("BytesLost", stream))
    if (stream.failure === undefined) return this.reset(stream, Code.InternalError)
    // `close` has failed it already, and only flushes it: the peer must not take what was sent for the whole
    this.outbound.unschedule(stream)
    if (!stream.synDue) this.outbound.reset(stream.id, Code.InternalError)
  }

  /** The peer reset a stream. */
  resetByPeer(stream: StreamCore, code: ErrorCode): void {
    const refused = code === Code.StreamRefused || code === Code.AcceptQueueFull
    const processed = refused && !stream.answered ? "no" : "maybe"
    this.fail(stream, { _tag: "Reset", code, initiator: "Remote", processed })
    if (stream.initiator === "Remote") this.charge("reset")
  }

  /** Takes a stream out with a failure; late frames on its id are passed over. */
  fail(stream: StreamCore, failure: StreamFailure): void {
    stream.failure = failure
    stream.readBlocked = false
    stream.move("Reset")
    this.table.closed.ignoreLate(stream.id, stream.receiveWindow.size)
    this.outbound.cancelIncrement(stream.id)
    this.remove(stream)
    if (stream.shown) this.emit(new StreamEvent("Failed", stream))
  }

  /** An RST that the peer provoked, whether or not there is a stream, and what it costs the peer. */
  sendReset(id: number, code: ErrorCode, cost: Cost | "nothing"): void {
    this.table.closed.ignoreLate(id)
    this.outbound.cancelIncrement(id)
    this.queueReset(id, code)
    if (cost !== "nothing") this.charge(cost)
  }

  /** RSTs that wait are bounded: a peer that reads none of them must not cause more. */
  private queueReset(id: number, code: ErrorCode): void {
    this.outbound.reset(id, code)
    if (this.outbound.pendingResets > MAX_PENDING_RESETS + this.options.maxInboundStreams) {
      this.closeWithError(Code.EnhanceYourCalm, "too many streams that had to be reset")
    }
  }

  /** The peer has cost something; when it was too much, that is the end. */
  charge(cost: Cost): void {
    this.calm(this.budgets.charge(cost, this.now))
  }

  /** Ends the session when there are words for why it costs too much. */
  calm(excess: string | undefined): void {
    if (excess !== undefined) this.closeWithError(Code.EnhanceYourCalm, excess)
  }

  finReceived(stream: StreamCore): void {
    stream.finReceived = true
    this.credit.settle(stream)
    stream.move("ReceiveFin")
    if (stream.state === "Closed") this.finish(stream)
  }

  private finSent(stream: StreamCore): void {
    stream.move("SendFin")
    this.settle(stream)
  }

  /** A stream leaves once neither side has anything more to do with it. */
  settle(stream: StreamCore): void {
    // it may have left before: between the pieces of a frame, or before its reader stopped
    if (stream.failure !== undefined || this.table.get(stream.id) !== stream) return
    if (stream.state === "Closed") this.finish(stream)
    else if (stream.state === "HalfClosedLocal" && stream.readStopped) {
      // the peer may be waiting for credit to send what nobody will read: with it, its DATA draws an RST
      this.credit.releaseAll(stream)
      stream.move("Release")
      this.table.closed.answerLate(stream.id, stream.receiveWindow.size)
      this.finish(stream)
    }
  }

  private finish(stream: StreamCore): void {
    if (stream.finReceived) this.outbound.cancelIncrement(stream.id)
    this.remove(stream)
    if (stream.shown) this.emit(new StreamEvent("Finished", stream))
  }

  private remove(stream: StreamCore): void {
    this.outbound.unschedule(stream)
    this.untyped.delete(stream)
    this.waitingForCredit.delete(stream)
    this.capacity.stopWaiting(stream)
    // one that is in the backlog stays there until the application takes it: it can still be read
    if (this.table.remove(stream)) this.credit.forget(stream)
    if (stream === this.heartbeatStream) this.loseHeartbeats(stream)
    if (stream === this.responder) {
      this.responder = undefined
      this.received.drop(stream)
    }
    if (stream.initiator === "Local") this.announceOpen()
  }

  private loseHeartbeats(stream: StreamCore): void {
    this.heartbeatStream = undefined
    const lost = this.heartbeats.takeLost()
    if (stream.failure === undefined) return
    this.heartbeats.refused ||= stream.failure._tag === "Reset" && stream.failure.initiator === "Remote"
    for (const nonce of lost) {
      this.emit({ _tag: "PingLost", nonce, streamId: stream.id, failure: stream.failure })
    }
  }

  /** The application has taken a stream, or never will. */
  leaveBacklog(stream: StreamCore): void {
    if (!stream.inBacklog) return
    stream.inBacklog = false
    // the end of the session has emptied it
    if (this.end === undefined) this.table.backlog--
  }

  // --- what waits to be read

  /** Makes room for announced bytes: see `ReceiveBuffer.makeRoom`. The streams that hold most are reset for it. */
  makeRoom(length: number): boolean {
    // asked for each frame: two functions less where there is room
    if (this.received.hasRoom(length)) return true
    return this.received.makeRoom(
      length,
      () => this.table.values(),
      (stream) => {
        this.giveUp(stream)
        // one RST too many ends the session
        return this.end === undefined
      }
    )
  }

  /** Resets a stream for the memory that it takes: what it held is gone, and the peer is charged nothing. */
  private giveUp(stream: StreamCore): void {
    this.received.truncate(stream)
    this.resetStream(stream, Code.EnhanceYourCalm, "nothing")
  }

  // --- the end of the session

  /** This side says why it leaves. The first reason that says something stays, for every GOAWAY and for this side. */
  say(code: ErrorCode, debug: string): void {
    if (this.closed.code === undefined && (code !== 0 || debug !== "")) this.closed = { _tag: "Closed", code, debug }
  }

  /** A GOAWAY. From the first on no streams are taken, so a later one does not raise what was processed. */
  goAwayFrame(code: ErrorCode, text: string): GoAway {
    this.lastTaken ??= this.table.highestRemote
    return goAway(this.lastTaken, code, debugBytes(text))
  }

  /** The peer broke the rules: GOAWAY with the code, and nothing else any more. */
  closeWithError(code: ErrorCode, detail: string, end?: SessionEnd): void {
    if (this.end !== undefined) return
    this.outbound.abandon()
    this.outbound.setGoAway(this.goAwayFrame(code, detail), "Now")
    this.over(end ?? { _tag: "Violation", code, detail, initiator: "Local" })
  }

  /** What a GOAWAY of the peer means for the end of the session; `undefined` while there was none. */
  get remoteEnd(): SessionEnd | undefined {
    return this.remoteGoAway === undefined ? undefined : endBy(this.remoteGoAway)
  }

  /** The session is over: every stream fails, nothing is sent but a GOAWAY that waits. */
  over(end: SessionEnd): void {
    if (this.end !== undefined) return
    this.end = end
    for (const stream of this.table.values()) {
      // those that failed when `close` was called were only kept to be flushed
      if (stream.failure === undefined) {
        this.fail(stream, { _tag: "SessionEnded", end, processed: stream.synDue ? "no" : "maybe" })
      }
    }
    if (this.responder !== undefined) this.received.drop(this.responder)
    this.outbound.abandon()
    this.table.clear()
    this.credit.clear()
    this.forgetWaiting()
    this.emit({ _tag: "Ended", end })
  }

  private forgetWaiting(): void {
    this.untyped.clear()
    this.credit.stop()
    this.waitingForCredit.clear()
    this.capacity.clearWaiting()
  }

  /** `close` was called: streams fail here, but what they had to send still goes out, and then the GOAWAY. */
  beginClosing(): void {
    if (this.end !== undefined || this.closing) return
    this.closing = true
    this.draining = true
    const { closed } = this
    for (const stream of this.table.values()) {
      const nothing = stream.synDue && stream.outbound.length === 0 && !stream.finishing
      if (nothing) this.outbound.unschedule(stream)
      stream.failure = { _tag: "SessionEnded", end: closed, processed: nothing ? "no" : "maybe" }
      stream.readBlocked = false
      if (stream.shown) this.emit(new StreamEvent("Failed", stream))
      else if (stream === this.heartbeatStream) this.loseHeartbeats(stream)
    }
    this.forgetWaiting()
    this.outbound.setGoAway(this.goAwayFrame(closed.code ?? Code.NoError, closed.debug ?? ""), "Last")
  }

  // --- rest

  /** While draining: says once that nothing is left to do. */
  announceIdle(): void {
    if (!this.draining || this.idleAnnounced || this.end !== undefined) return
    if (this.table.inboundCount + this.table.outboundCount > 0 || this.outbound.hasStreams) return
    // what was taken is not yet sent
    if (this.liveness.isWriting) return
    this.idleAnnounced = true
    this.emit({ _tag: "Idle" })
  }

  /** Wakes writers that wait for capacity, if there is some. */
  announceRoom(): void {
    for (const stream of this.capacity.takeWaiting()) this.announceWritable(stream)
  }

  announceWritable(stream: StreamCore): void {
    if (!stream.writeBlocked) return
    stream.writeBlocked = false
    this.waitingForCredit.delete(stream)
    if (!stream.isHeartbeat) this.emit(new StreamEvent("Writable", stream))
  }

  announceReadable(stream: StreamCore): void {
    if (!stream.readBlocked) return
    stream.readBlocked = false
    this.emit(new StreamEvent("Readable", stream))
  }

  private announceOpen(): void {
    if (!this.openBlocked || this.table.outboundCount >= this.options.maxOutboundStreams) return
    this.openBlocked = false
    this.emit({ _tag: "OpenAvailable" })
  }
}

const NO_EVENTS: ReadonlyArray<Event> = []
