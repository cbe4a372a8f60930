/**
 * What a session does with each frame. Synchronous and total: no frame throws, none makes the reader wait.
 *
 * Wire: `docs/PROTOCOL.md`, sections 3 to 6.
 *
 * @since 0.1.0
 */
import type { Core } from "./core.js"
import type { GoneAway } from "./endReason.js"
import { goneAwayAgain } from "./endReason.js"
import { ErrorCode } from "./wire/errorCode.js"
import { StreamEvent } from "./events.js"
import type { Data, GoAway, InboundFrame, Malformed, WindowIncrement } from "./wire/frame.js"
import { FrameType } from "./wire/frame.js"
import { HEARTBEAT_LENGTH } from "./heartbeats.js"
import { StreamCore } from "./streams/streamCore.js"
import { canReceive } from "./streams/streamState.js"

const TYPE_LENGTH = 4

const beginsHeartbeats = (payload: Uint8Array): boolean =>
  payload[0] === 0xff && payload[1] === 0xff && payload[2] === 0xff && payload[3] === 0xff

/** What an empty frame counts of the bytes that may still be on their way for a stream that is over. */
const EMPTY_LENGTH = 256

/** Bytes of answers to heartbeats that may wait to be sent. */
const MAX_ECHOES = 1024

/**
 * Receives the frames of one session in order. It remembers, between the pieces of a DATA frame, which stream they
 * belong to; `undefined` means that they are dropped.
 *
 * @since 0.1.0
 * @category models
 */
export class Receiver {
  private target: StreamCore | undefined = undefined

  constructor(private readonly core: Core) {}

  receive(frame: InboundFrame): void {
    if (this.core.end !== undefined) return
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
        return this.malformed(frame)
      case "Unknown":
        return this.core.charge("stray")
    }
  }

  // --- DATA

  private data(frame: Data): void {
    if (frame.first) this.target = frame.syn ? this.open(frame) : this.find(frame)
    const stream = this.target
    // the stream may have ended between two pieces of one frame
    if (stream === undefined || stream.failure !== undefined || !canReceive(stream.state)) return
    if (frame.payload.length > 0) this.payload(stream, frame.payload)
    if (frame.last && frame.fin && stream.failure === undefined && canReceive(stream.state)) this.fin(stream)
  }

  /** The stream that a DATA frame without SYN belongs to. */
  private find(frame: Data): StreamCore | undefined {
    const stream = this.core.table.get(frame.streamId)
    if (stream === undefined) {
      this.late(frame)
      return undefined
    }
    if (stream.synDue) {
      this.early()
      return undefined
    }
    if (stream.failure !== undefined) return undefined
    if (!canReceive(stream.state)) {
      if (frame.length > 0) this.core.resetStream(stream, ErrorCode.StreamClosed)
      else this.core.charge("stray")
      return undefined
    }
    stream.answered = true
    if (frame.length === 0 && !frame.fin) this.core.charge("stray")
    if (!stream.receiveWindow.receive(frame.length)) {
      this.core.resetStream(stream, ErrorCode.FlowControlError)
      return undefined
    }
    // what nobody will read takes no room
    const room = stream.readStopped || this.core.makeRoom(frame.length)
    // it may have been this stream that held most
    if (this.isOver(stream)) return undefined
    if (!room) {
      this.core.resetStream(stream, ErrorCode.EnhanceYourCalm, "nothing")
      return undefined
    }
    this.core.credit.arrived(stream, frame.length, this.core.now)
    return stream
  }

  private isOver(stream: StreamCore): boolean {
    return stream.failure !== undefined || this.core.end !== undefined
  }

  /** A frame for a stream of ours that the peer cannot know of yet. */
  private early(): void {
    this.core.charge("stray")
  }

  /** DATA for a stream that is not there. */
  private late({ length, streamId }: Data): void {
    const core = this.core
    if (core.closing) return
    const fate = core.table.closed.late(streamId, length === 0 ? EMPTY_LENGTH : length)
    // the peer's FIN for a stream that this side has let go of comes late, as it must
    if (length === 0) return fate === "Answer" || fate === "Expected" ? undefined : core.charge("stray")
    switch (fate) {
      case "Unknown":
        // an id that was used was forgotten since, for which the peer is not to blame so much
        return core.sendReset(streamId, ErrorCode.StreamClosed, core.table.wasUsed(streamId) ? "refusal" : "reset")
      case "Answer":
        return core.sendReset(streamId, ErrorCode.StreamClosed, "nothing")
      case "Expected":
        return
      case "TooMuch":
        return core.charge("stray")
    }
  }

  /** A SYN: the new stream, or `undefined` when it is refused and its payload is to be skipped. */
  private open(frame: Data): StreamCore | undefined {
    const core = this.core
    const id = frame.streamId
    switch (core.table.useRemoteId(id)) {
      case "WrongParity":
        core.closeWithError(ErrorCode.ProtocolError, `SYN on stream ${id}, which is not for the peer to open`)
        return undefined
      case "Used":
        core.closeWithError(ErrorCode.ProtocolError, `SYN on stream ${id}, which was used before`)
        return undefined
      case "TooManyGaps":
        core.closeWithError(ErrorCode.EnhanceYourCalm, `SYN on stream ${id} leaves too many unused stream ids`)
        return undefined
      case "New":
        break
    }
    const refusal = this.refusal(frame)
    // making room may have been one RST too many
    if (core.end !== undefined) return undefined
    core.budgets.streamBegan()
    if (refusal !== undefined) {
      core.sendReset(id, refusal, this.costOf(refusal))
      return undefined
    }
    const stream = new StreamCore(id, "Remote", core.options, undefined)
    stream.receiveWindow.receive(frame.length)
    core.table.add(stream)
    if (core.options.typed) {
      core.untyped.add(stream, core.now)
    } else {
      if (beginsHeartbeats(frame.payload)) {
        core.suspicion ??= `stream ${id} begins as heartbeats do: the peer's session seems to be typed, this one is untyped`
      }
      this.show(stream)
    }
    return stream
  }

  private refusal(frame: Data): number | undefined {
    const { options, table } = this.core
    const { draining, refusing } = this.core
    if (draining || refusing || table.inboundCount >= options.maxInboundStreams) return ErrorCode.StreamRefused
    // on a typed session it may be a heartbeat, which needs no place there
    if (!options.typed && this.backlogIsFull) return ErrorCode.AcceptQueueFull
    if (frame.length > options.window) return ErrorCode.FlowControlError
    return this.core.makeRoom(frame.length) ? undefined : ErrorCode.StreamRefused
  }

  /** A peer that cannot know that this side drains is not to blame; that is over in a while. */
  private costOf(refusal: number): "reset" | "refusal" | "nothing" {
    if (refusal === ErrorCode.FlowControlError) return "reset"
    return this.core.draining ? "nothing" : "refusal"
  }

  private get backlogIsFull(): boolean {
    return this.core.acceptCapacity <= 0 && this.core.table.backlog >= this.core.options.acceptBacklog
  }

  private show(stream: StreamCore): void {
    stream.shown = true
    if (this.core.acceptCapacity > 0) {
      this.core.acceptCapacity--
    } else {
      stream.inBacklog = true
      this.core.table.backlog++
    }
    this.core.emit(new StreamEvent("Opened", stream))
  }

  private payload(stream: StreamCore, bytes: Uint8Array): void {
    const rest = this.core.options.typed && stream.type === undefined ? this.type(stream, bytes) : bytes
    if (rest.length === 0 || stream.failure !== undefined) return
    if (stream.isHeartbeat) return this.heartbeat(stream, rest)
    if (stream.readStopped) return this.core.credit.consumed(stream, rest.length, this.core.now)
    this.core.received.hold(stream, rest)
    this.core.announceReadable(stream)
  }

  /** Takes what is missing of the type from the front, and gives what follows it. */
  private type(stream: StreamCore, bytes: Uint8Array): Uint8Array {
    const length = Math.min(bytes.length, TYPE_LENGTH - stream.typeLength)
    for (let i = 0; i < length; i++) stream.typeBytes = ((stream.typeBytes << 8) | (bytes[i] ?? 0)) >>> 0
    stream.typeLength += length
    // too little for a frame of its own: it goes back with the first bytes
    stream.receiveWindow.consume(length)
    if (stream.typeLength === TYPE_LENGTH) this.typed(stream)
    return bytes.subarray(length)
  }

  private typed(stream: StreamCore): void {
    const core = this.core
    core.untyped.delete(stream)
    stream.type = stream.typeBytes
    if (!stream.isHeartbeat) {
      return this.backlogIsFull ? core.resetStream(stream, ErrorCode.AcceptQueueFull, "refusal") : this.show(stream)
    }
    core.table.uncount(stream)
    if (core.responder !== undefined) return core.resetStream(stream, ErrorCode.StreamRefused, "refusal")
    core.responder = stream
  }

  private fin(stream: StreamCore): void {
    const core = this.core
    if (core.options.typed && stream.type === undefined) {
      core.suspicion ??= `stream ${stream.id} ended before its 4-byte type: the peer's session may be untyped, this one is typed`
      return core.resetStream(stream, ErrorCode.ProtocolError)
    }
    // a heartbeat stream ends with an RST: to a FIN, Rust's responder would answer for ever
    if (stream.isHeartbeat) {
      core.reset(stream, ErrorCode.StreamCancelled)
      return stream.initiator === "Remote" ? core.charge("reset") : undefined
    }
    core.finReceived(stream)
    core.announceReadable(stream)
  }

  // --- heartbeats

  private heartbeat(stream: StreamCore, bytes: Uint8Array): void {
    const core = this.core
    if (stream !== core.heartbeatStream) {
      core.received.hold(stream, bytes, "copy")
      return this.echo(stream)
    }
    core.credit.consumed(stream, bytes.length, core.now)
    for (const { nonce, roundTrip } of core.heartbeats.receive(bytes, core.now)) {
      core.credit.timed(roundTrip)
      core.emit({ _tag: "Pong", nonce, roundTrip })
    }
  }

  /** Answers what the peer's window and the bound on what waits allow; the rest waits within our window. */
  echo(stream: StreamCore): void {
    const room = MAX_ECHOES - stream.outbound.length
    const length = Math.max(0, Math.min(stream.inbound.length, stream.sendWindow.credit, room))
    let left = length - (length % HEARTBEAT_LENGTH)
    if (left === 0) return
    this.core.credit.consumed(stream, left, this.core.now)
    while (left > 0) {
      const bytes = this.core.received.take(stream, left)
      if (bytes === undefined) break
      left -= bytes.length
      stream.sendWindow.consume(bytes.length)
      stream.outbound.push(bytes)
      this.core.capacity.use(bytes.length)
    }
    this.core.outbound.schedule(stream)
  }

  // --- the other frames

  private rst(id: number, code: number): void {
    const stream = this.core.table.get(id)
    if (stream === undefined) return this.core.calm(this.core.budgets.lateReset(this.core.now))
    if (stream.synDue) return this.early()
    if (stream.failure !== undefined) this.core.outbound.unschedule(stream)
    else this.core.resetByPeer(stream, code)
  }

  private windowIncrement(frame: WindowIncrement): void {
    const core = this.core
    core.calm(core.budgets.increment())
    if (core.end !== undefined) return
    const stream = core.table.get(frame.streamId)
    if (stream === undefined || stream.failure !== undefined) return
    if (stream.synDue) return this.early()
    stream.answered = true
    if (frame.increment === 0) return core.resetStream(stream, ErrorCode.ProtocolError)
    if (!stream.sendWindow.grow(frame.increment, stream.outbound.length)) {
      return core.resetStream(stream, ErrorCode.FlowControlError)
    }
    if (stream.isHeartbeat && stream.initiator === "Remote") return this.echo(stream)
    if (!stream.writeBlocked || core.capacity.isAwaitedBy(stream)) return
    if (stream.sendWindow.worthwhile) core.announceWritable(stream)
    else core.waitingForCredit.add(stream, core.now)
  }

  private goAway(frame: GoAway): void {
    const core = this.core
    const { code, debug, lastStreamId } = frame
    if (core.remoteGoAway !== undefined) core.charge("stray")
    if (core.end !== undefined) return
    const said: GoneAway = { _tag: "GoneAway", lastStreamId, code, debug: debug.slice() }
    core.remoteGoAway = goneAwayAgain(core.remoteGoAway, said)
    const last = core.remoteGoAway.lastStreamId
    core.emit({ _tag: "GoneAway", lastStreamId: last, code })
    if (core.closing) return
    for (const stream of core.table.values()) {
      if (stream.initiator === "Local" && stream.id > last) {
        // Go's last id can go backwards: what was answered was processed
        const processed = stream.answered ? "maybe" : "no"
        core.fail(stream, { _tag: "SessionEnded", end: core.remoteGoAway, processed })
      }
    }
  }

  private malformed(frame: Malformed): void {
    // Rust's own GOAWAY announces 8 bytes too few; short as it is, it says that the peer leaves
    if (frame.type === FrameType.GoAway && frame.code === ErrorCode.FrameSizeError) {
      const said: GoneAway = {
        _tag: "GoneAway",
        lastStreamId: 0x7fffffff,
        code: ErrorCode.NoError,
        debug: new Uint8Array(0)
      }
      return this.core.closeWithError(frame.code, frame.message, goneAwayAgain(this.core.remoteGoAway, said))
    }
    // nor does it count its text fully: what follows one is the rest of that, and looks like anything
    this.core.closeWithError(frame.code, frame.message, this.core.remoteEnd)
  }
}
