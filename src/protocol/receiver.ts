/**
 * Dispatches each frame of the peer to the owners of the session's state. No frame makes it throw or wait.
 *
 * Wire: `docs/PROTOCOL.md`, sections 3 to 6.
 *
 * @since 0.1.0
 */
import type { Budgets, Cost } from "./budgets.js"
import type { DeadlineQueue } from "./collections/deadlineQueue.js"
import type { EventQueue } from "./events.js"
import { StreamEvent } from "./events.js"
import type { Heartbeats } from "./heartbeats.js"
import type { Lifecycle } from "./lifecycle.js"
import type { ConnectionOptions } from "./options.js"
import type { CreditPolicy } from "./receiving/creditPolicy.js"
import type { ReceiveBuffer } from "./receiving/receiveBuffer.js"
import type { BlockedWriters } from "./sending/blockedWriters.js"
import type { Scheduler } from "./sending/scheduler.js"
import type { SessionEndings } from "./sessionEndings.js"
import type { Backlog } from "./streams/backlog.js"
import { StreamCore } from "./streams/streamCore.js"
import type { StreamEndings } from "./streams/streamEndings.js"
import { canReceive } from "./streams/streamState.js"
import type { StreamTable } from "./streams/streamTable.js"
import type { Time } from "./time.js"
import { ErrorCode } from "./wire/errorCode.js"
import type { Data, GoAway, InboundFrame, WindowIncrement } from "./wire/frame.js"
import { beginsHeartbeats } from "./wire/heartbeat.js"

const TYPE_LENGTH = 4

/** An empty late frame counts as this many late bytes of a closed stream. */
const EMPTY_LENGTH = 256

interface Owners {
  readonly backlog: Backlog
  readonly budgets: Budgets
  readonly credit: CreditPolicy
  readonly events: EventQueue
  readonly heartbeats: Heartbeats
  readonly lifecycle: Lifecycle
  readonly options: ConnectionOptions
  readonly received: ReceiveBuffer
  readonly scheduler: Scheduler
  readonly sessionEndings: SessionEndings
  readonly streamEndings: StreamEndings
  readonly table: StreamTable
  readonly time: Time
  readonly untyped: DeadlineQueue<StreamCore>
  readonly writers: BlockedWriters
}

/**
 * Receives the frames of one session in order. Between the pieces of a DATA frame it remembers their stream.
 * `undefined` means that it drops the rest.
 *
 * @since 0.1.0
 * @category models
 */
export class Receiver {
  /** A text: why one side seems to be typed and the other not. */
  suspicion: string | undefined = undefined

  private target: StreamCore | undefined = undefined

  constructor(private readonly owners: Owners) {}

  receive(frame: InboundFrame): void {
    const { budgets, lifecycle, sessionEndings } = this.owners
    if (lifecycle.isOver) return
    switch (frame._tag) {
      case "Data":
        return this.data(frame)
      case "Rst":
        return this.rst(frame.streamId, frame.code)
      case "WindowIncrement":
        return this.windowIncrement(frame)
      case "GoAway":
        return this.goAway(frame)
      case "Malformed":
        return sessionEndings.malformed(frame)
      case "Unknown":
        return budgets.charge("useless")
    }
  }

  // --- DATA

  private data(frame: Data): void {
    if (frame.first) this.target = frame.syn ? this.open(frame) : this.find(frame)
    // the stream may have ended between two pieces of one frame
    else if (this.target !== undefined && !canReceive(this.target.state)) this.target = undefined
    const stream = this.target
    if (stream === undefined || stream.failure !== undefined) return
    if (frame.payload.length > 0) this.payload(stream, frame.payload)
    if (frame.last && frame.fin && !this.failed(stream)) this.fin(stream)
  }

  /** Checks the header of a DATA frame without SYN. Returns its stream, or `undefined` if its payload is dropped. */
  private find(frame: Data): StreamCore | undefined {
    const { budgets, credit, received, streamEndings, table, time } = this.owners
    const stream = table.get(frame.streamId)
    if (stream === undefined) {
      this.late(frame)
      return undefined
    }
    if (stream.synDue) {
      // the SYN of this stream was not sent, so the peer cannot know the stream
      budgets.charge("useless")
      return undefined
    }
    if (stream.failure !== undefined) return undefined
    if (!canReceive(stream.state)) {
      if (frame.length > 0) streamEndings.resetForFault(stream, ErrorCode.StreamClosed)
      else budgets.charge("useless")
      return undefined
    }
    stream.answered = true
    if (frame.length === 0 && !frame.fin) budgets.charge("useless")
    if (!stream.receiveWindow.receive(frame.length)) {
      streamEndings.resetForFault(stream, ErrorCode.FlowControlError)
      return undefined
    }
    // bytes that nothing will read need no space
    const hasRoom =
      stream.reading === "Stopped" || received.hasRoom(frame.length) || streamEndings.makeRoom(frame.length)
    if (!hasRoom) {
      streamEndings.resetForFault(stream, ErrorCode.EnhanceYourCalm, "nothing")
      return undefined
    }
    credit.arrived(stream, frame.length, time.now)
    return stream
  }

  /** Reads `failure` again. The compiler assumes that it has not changed since the last check. */
  private failed(stream: StreamCore): boolean {
    return stream.failure !== undefined
  }

  /** DATA for a stream that is not in the table. */
  private late({ length, streamId }: Data): void {
    const { budgets, lifecycle, streamEndings, table } = this.owners
    if (lifecycle.isClosing) return
    const fate = table.closed.late(streamId, length === 0 ? EMPTY_LENGTH : length)
    // a late FIN is normal if this side closed the stream first
    if (length === 0) return fate === "Answer" || fate === "Expected" ? undefined : budgets.charge("useless")
    switch (fate) {
      case "Unknown":
        // this side may have forgotten a used id: that is not the peer's fault, and is charged less
        return streamEndings.resetUnknown(
          streamId,
          ErrorCode.StreamClosed,
          table.wasUsed(streamId) ? "refusal" : "reset"
        )
      case "Answer":
        return streamEndings.resetUnknown(streamId, ErrorCode.StreamClosed, "nothing")
      case "Expected":
        return
      case "TooMuch":
        return budgets.charge("useless")
    }
  }

  private payload(stream: StreamCore, bytes: Uint8Array): void {
    const { credit, events, heartbeats, options, received, time } = this.owners
    const rest = options.typed && stream.type === undefined ? this.type(stream, bytes) : bytes
    if (rest.length === 0 || stream.failure !== undefined) return
    if (stream.isHeartbeat) return heartbeats.arrived(stream, rest)
    if (stream.reading === "Stopped") return credit.consumed(stream, rest.length, time.now)
    received.hold(stream, rest)
    events.readable(stream)
  }

  private fin(stream: StreamCore): void {
    const { budgets, events, options, streamEndings } = this.owners
    if (options.typed && stream.type === undefined) {
      this.suspicion ??= `stream ${stream.id} ended before its 4-byte type: the peer seems to be untyped, and this side is typed`
      return streamEndings.resetForFault(stream, ErrorCode.ProtocolError)
    }
    // a heartbeat stream ends with an RST, because Rust's responder answers a FIN with answers that do not end
    if (stream.isHeartbeat) {
      streamEndings.reset(stream, ErrorCode.StreamCancelled)
      return stream.initiator === "Remote" ? budgets.charge("reset") : undefined
    }
    streamEndings.finReceived(stream)
    events.readable(stream)
  }

  // --- SYN

  /** Returns the new stream, or `undefined` if it is refused and its payload is dropped. */
  private open(frame: Data): StreamCore | undefined {
    const { budgets, lifecycle, options, streamEndings, table, time, untyped } = this.owners
    const id = frame.streamId
    const fault = this.idFault(id)
    if (fault !== undefined) {
      this.owners.sessionEndings.closeWithError(fault.code, `SYN on stream ${id}${fault.detail}`)
      return undefined
    }
    const refusal = this.refusal(frame)
    // the RSTs that free memory may have ended the session
    if (lifecycle.isOver) return undefined
    budgets.streamBegan()
    if (refusal !== undefined) {
      streamEndings.resetUnknown(id, refusal, this.costOf(refusal))
      return undefined
    }
    const stream = new StreamCore(id, "Remote", options, undefined)
    stream.receiveWindow.receive(frame.length)
    table.add(stream)
    if (options.typed) {
      untyped.add(stream, time.now)
      return stream
    }
    if (beginsHeartbeats(frame.payload)) {
      this.suspicion ??= `stream ${id} starts with the heartbeat type: the peer seems to be typed, and this side is untyped`
    }
    this.show(stream)
    return stream
  }

  private idFault(id: number): { readonly code: ErrorCode; readonly detail: string } | undefined {
    switch (this.owners.table.useRemoteId(id)) {
      case "WrongParity":
        return { code: ErrorCode.ProtocolError, detail: ": its sender may not open ids of this parity" }
      case "Used":
        return { code: ErrorCode.ProtocolError, detail: ", which was used before" }
      case "TooManyGaps":
        return { code: ErrorCode.EnhanceYourCalm, detail: " leaves more gaps in the stream ids than maxIdGaps allows" }
      case "New":
        return undefined
    }
  }

  private refusal(frame: Data): ErrorCode | undefined {
    const { backlog, lifecycle, options, received, streamEndings, table } = this.owners
    if (!lifecycle.takesStreams || table.inboundCount >= options.maxInboundStreams) return ErrorCode.StreamRefused
    // on a typed session it may be a heartbeat stream, which needs no place in the backlog
    if (!options.typed && backlog.isFull) return ErrorCode.AcceptQueueFull
    if (frame.length > options.window) return ErrorCode.FlowControlError
    const hasRoom = received.hasRoom(frame.length) || streamEndings.makeRoom(frame.length)
    return hasRoom ? undefined : ErrorCode.StreamRefused
  }

  /** While this side leaves, refusals are free, because the peer does not know it at once. */
  private costOf(refusal: ErrorCode): Cost | "nothing" {
    if (refusal === ErrorCode.FlowControlError) return "reset"
    return this.owners.lifecycle.isLeaving ? "nothing" : "refusal"
  }

  private show(stream: StreamCore): void {
    this.owners.backlog.show(stream)
    this.owners.events.emit(new StreamEvent("Opened", stream))
  }

  /** Reads the missing bytes of the type from the front, and returns the rest. */
  private type(stream: StreamCore, bytes: Uint8Array): Uint8Array {
    const length = Math.min(bytes.length, TYPE_LENGTH - stream.typeLength)
    for (let i = 0; i < length; i++) stream.typeBytes = ((stream.typeBytes << 8) | (bytes[i] ?? 0)) >>> 0
    stream.typeLength += length
    // too little credit for a frame: it is granted together with that of the first bytes
    stream.receiveWindow.consume(length)
    if (stream.typeLength === TYPE_LENGTH) this.typed(stream)
    return bytes.subarray(length)
  }

  private typed(stream: StreamCore): void {
    const { backlog, heartbeats, streamEndings, table, untyped } = this.owners
    untyped.delete(stream)
    stream.type = stream.typeBytes
    if (stream.isHeartbeat) {
      table.uncount(stream)
      if (!heartbeats.begin(stream)) streamEndings.resetForFault(stream, ErrorCode.StreamRefused, "refusal")
    } else if (backlog.isFull) {
      streamEndings.resetForFault(stream, ErrorCode.AcceptQueueFull, "refusal")
    } else {
      this.show(stream)
    }
  }

  // --- the other frames

  private rst(id: number, code: ErrorCode): void {
    const { budgets, scheduler, streamEndings, table } = this.owners
    const stream = table.get(id)
    if (stream === undefined) return budgets.lateReset()
    if (stream.synDue) return budgets.charge("useless")
    if (stream.failure !== undefined) scheduler.unschedule(stream)
    else streamEndings.resetByPeer(stream, code)
  }

  private windowIncrement({ increment, streamId }: WindowIncrement): void {
    const { budgets, heartbeats, lifecycle, streamEndings, table, writers } = this.owners
    budgets.increment()
    if (lifecycle.isOver) return
    const stream = table.get(streamId)
    if (stream === undefined || stream.failure !== undefined) return
    if (stream.synDue) return budgets.charge("useless")
    stream.answered = true
    if (increment === 0) return streamEndings.resetForFault(stream, ErrorCode.ProtocolError)
    if (!stream.sendWindow.grow(increment, stream.outbound.length)) {
      return streamEndings.resetForFault(stream, ErrorCode.FlowControlError)
    }
    if (stream.isHeartbeat) heartbeats.echo()
    else writers.creditGrew(stream)
  }

  private goAway(frame: GoAway): void {
    const { budgets, lifecycle, sessionEndings } = this.owners
    if (lifecycle.remoteGoAway !== undefined) budgets.charge("useless")
    if (!lifecycle.isOver) sessionEndings.peerLeaves(frame)
  }
}
