/**
 * One muxado session without I/O: frames and commands in, frames and events out. Every function is synchronous and
 * total, time comes in as `now` (milliseconds), random numbers come in as arguments, and faults are values.
 *
 * After any input (`receive`, `heard`, `tick`, a command) drain the outputs: `takeEvents`, `hasFrames`/`takeFrames`, and
 * `nextDeadline`.
 *
 * Wire: `docs/PROTOCOL.md`, sections 3 to 6.
 *
 * @since 0.1.0
 */
import type { ConnectionOptions } from "./options.js"
import { Core } from "./core.js"
import type { SessionEnd } from "./endReason.js"
import { ErrorCode } from "./wire/errorCode.js"
import type { Event } from "./events.js"
import type { Frame, InboundFrame } from "./wire/frame.js"
import { encodeUint32, HEARTBEAT_LENGTH, HEARTBEAT_TYPE } from "./heartbeats.js"
import { Receiver } from "./receiver.js"
import type { ConnectionStats, OpenResult, ReadResult, WriteResult } from "./results.js"
import { BytesRead } from "./results.js"
import { StreamCore } from "./streams/streamCore.js"

const BLOCKED: ReadResult = { _tag: "Blocked" }
const END: ReadResult = { _tag: "End" }
const STOPPED: ReadResult = { _tag: "Stopped" }
const FINISHED: WriteResult = { _tag: "Finished" }

/**
 * A session's protocol, over any transport.
 *
 * @since 0.1.0
 * @category models
 */
export class Connection {
  private readonly core: Core
  private readonly receiver: Receiver

  constructor(options: ConnectionOptions, now: number) {
    this.core = new Core(options, now)
    this.receiver = new Receiver(this.core)
  }

  // --- inputs from the transport

  /** Bytes arrived, whatever they are; `midFrame` says whether they ended within a frame. */
  heard(midFrame: boolean, now: number): void {
    this.core.now = now
    this.core.liveness.heard(midFrame, now)
  }

  receive(frame: InboundFrame): void {
    this.receiver.receive(frame)
    this.core.announceRoom()
    this.core.announceIdle()
  }

  /** The transport is gone. A peer that had said goodbye is not blamed for it. */
  transportFailed(end: Extract<SessionEnd, { _tag: "TransportFailed" }>): void {
    this.core.over(this.core.closing ? this.core.closed : (this.core.remoteEnd ?? end))
  }

  /** The transport has taken the last batch. */
  written(): void {
    this.core.liveness.writeEnded()
    this.core.announceIdle()
  }

  /** Time has passed: judges the peer, and does what was put off. `nonce` is a fresh random uint32. */
  tick(now: number, nonce: number): void {
    const core = this.core
    core.now = now
    if (core.end !== undefined) return
    const verdict = core.liveness.check(now)
    if (verdict === "Probe") {
      if (!this.ping(nonce, now)) core.liveness.cannotProbe(now)
    } else if (verdict !== "Alive") return core.over(core.closing ? core.closed : this.endOf(verdict))
    core.credit.release(now)
    for (const stream of core.waitingForCredit.takeDue(now)) {
      stream.acceptsSmallCredit = true
      core.announceWritable(stream)
    }
    for (const stream of core.untyped.takeDue(now)) {
      core.reset(stream, ErrorCode.StreamRefused)
      core.charge("refusal")
    }
    core.announceIdle()
  }

  // --- commands

  /** Opens a stream: its SYN leaves with the next batch. `type` must be given exactly on typed sessions. */
  open(type: number | undefined): OpenResult {
    const core = this.core
    const over = this.refusesOpen()
    if (over !== undefined) return { _tag: "Over", end: over }
    if (core.table.outboundCount >= core.options.maxOutboundStreams) {
      core.openBlocked = true
      return { _tag: "Full" }
    }
    return this.create(type) ?? { _tag: "Exhausted" }
  }

  /** How many streams of the peer the application takes as they come, beside those in the backlog. */
  setAcceptCapacity(streams: number): void {
    this.core.acceptCapacity = streams
  }

  /** The application takes a stream that the peer opened. */
  accept(stream: StreamCore): void {
    this.core.leaveBacklog(stream)
  }

  /**
   * Takes bytes for a stream, as many as its window and the session's bound allow; they are sent, whatever happens to
   * the writer. The caller no longer touches them.
   */
  write(stream: StreamCore, bytes: Uint8Array): WriteResult {
    const core = this.core
    if (stream.failure !== undefined) return { _tag: "Failed", failure: stream.failure }
    if (stream.finishing) return FINISHED
    if (bytes.length === 0) return 0
    const { credit } = stream.sendWindow
    const room = this.core.capacity.available(stream)
    const small = credit < bytes.length && !stream.sendWindow.worthwhile && !stream.acceptsSmallCredit
    const length = small ? 0 : Math.min(bytes.length, credit, room)
    if (length > 0) {
      stream.acceptsSmallCredit = false
      stream.sendWindow.consume(length)
      stream.outbound.push(length === bytes.length ? bytes : bytes.subarray(0, length))
      core.capacity.use(length)
      core.outbound.schedule(stream)
    }
    stream.gotRoom = length > 0
    if (length < bytes.length) this.blockWriter(stream)
    return length
  }

  /** How many bytes `write` would take now, if they were that many. */
  writable(stream: StreamCore): number {
    if (stream.failure !== undefined || stream.finishing) return 0
    return Math.min(stream.sendWindow.credit, this.core.capacity.available(stream))
  }

  /** Takes back the last bytes of a stream if they were not sent yet; false when it is too late. */
  withdraw(stream: StreamCore, length: number): boolean {
    if (stream.failure !== undefined || stream.outbound.length < length) return false
    if (!stream.outbound.dropLast(length)) return false
    stream.sendWindow.refund(length)
    this.core.capacity.release(length)
    if (!stream.hasOutput) this.core.outbound.unschedule(stream)
    if (!this.core.capacity.isAwaitedBy(stream)) this.core.announceWritable(stream)
    this.core.announceRoom()
    return true
  }

  /** No writer waits on this stream any more. */
  unblockWriter(stream: StreamCore): void {
    stream.writeBlocked = false
    this.core.capacity.stopWaiting(stream)
    this.core.waitingForCredit.delete(stream)
  }

  /** Ends this side's direction: FIN follows the bytes that wait. */
  finish(stream: StreamCore): void {
    if (stream.failure !== undefined || stream.finishing) return
    stream.finishing = true
    this.core.outbound.schedule(stream)
  }

  read(stream: StreamCore): ReadResult {
    if (stream.readStopped) return STOPPED
    const bytes = this.core.received.take(stream)
    if (bytes !== undefined) {
      if (stream.failure === undefined) this.core.credit.consumed(stream, bytes.length, this.core.now)
      return new BytesRead(bytes)
    }
    // a transport's own chunks may be detached, too
    if (stream.inbound.isBroken) this.core.bytesLost(stream)
    if (stream.endsCleanly) return END
    if (stream.failure !== undefined) return { _tag: "Failed", failure: stream.failure }
    stream.readBlocked = true
    return BLOCKED
  }

  /** The application reads no more: what arrived and what arrives is dropped. */
  stopReading(stream: StreamCore): void {
    if (stream.readStopped) return
    stream.readStopped = true
    stream.readBlocked = false
    const dropped = this.core.received.drop(stream)
    if (stream.failure !== undefined) return
    this.core.credit.consumed(stream, dropped, this.core.now)
    this.core.settle(stream)
    this.core.announceIdle()
  }

  /** Ends a stream at once, in both directions; `code` is any uint32. Nothing happens to one that is over. */
  reset(stream: StreamCore, code: number): void {
    if (stream.failure !== undefined || this.core.table.get(stream.id) !== stream) return
    this.core.reset(stream, code)
    this.core.announceRoom()
    this.core.announceIdle()
  }

  /** Bytes of a write are gone before the core could take them. */
  bytesLost(stream: StreamCore): void {
    if (stream.failure !== undefined) return
    this.core.bytesLost(stream)
    this.core.announceRoom()
    this.core.announceIdle()
  }

  /** Refuses a stream of the peer that the application has not seen. */
  refuse(stream: StreamCore): void {
    this.reset(stream, ErrorCode.StreamRefused)
  }

  /** Ends every stream at once. */
  resetAll(code: number): void {
    for (const stream of this.core.table.values()) this.reset(stream, code)
  }

  /** Sends a heartbeat; false where there are none (untyped sessions, a session that is over, no ids left). */
  ping(nonce: number, now: number): boolean {
    const core = this.core
    core.now = now
    if (!core.options.typed || core.end !== undefined || core.closing) return false
    if (core.heartbeatStream !== undefined && core.heartbeatStream.sendWindow.credit < HEARTBEAT_LENGTH) {
      core.reset(core.heartbeatStream, ErrorCode.StreamCancelled)
    }
    const stream = core.heartbeatStream ?? this.openHeartbeats()
    if (stream === undefined || !core.heartbeats.add(nonce, now)) return false
    core.heartbeatStream = stream
    stream.sendWindow.consume(HEARTBEAT_LENGTH)
    stream.outbound.push(encodeUint32(nonce))
    core.capacity.use(HEARTBEAT_LENGTH)
    core.outbound.schedule(stream)
    return true
  }

  /** Takes and opens no more streams; an `Idle` event follows when the last one has ended. */
  drain(): void {
    this.core.draining = true
    this.core.announceIdle()
  }

  /** Tells the peer at once that no more of its streams are taken; those that are open go on. */
  goAway(code: number, text: string): void {
    const core = this.core
    if (core.end !== undefined || core.closing) return
    core.refusing = true
    core.say(code, text)
    core.outbound.setGoAway(core.goAwayFrame(core.closed.code ?? code, core.closed.debug ?? text), "Now")
  }

  /**
   * Fails every stream here, sends what was accepted, then GOAWAY; `Ended` follows when that was taken. What `goAway` has
   * said before stays the reason.
   */
  close(code: number = ErrorCode.NoError, text: string = ""): void {
    if (this.core.closing) return
    this.core.say(code, text)
    this.core.beginClosing()
  }

  /** The session is over at once: nothing more is sent. */
  abort(): void {
    this.core.over(this.core.closed)
  }

  // --- outputs

  get hasFrames(): boolean {
    return this.core.outbound.hasFrames
  }

  /** Payload bytes that were taken from the application and wait to be sent. */
  get queuedBytes(): number {
    return this.core.capacity.queued
  }

  /** The frames that are due, control first, with about `budget` bytes of streams. */
  takeFrames(budget: number, now: number): ReadonlyArray<Frame> {
    const core = this.core
    core.now = now
    const frames = core.outbound.take(budget)
    for (const frame of frames) if (frame._tag === "Data") core.budgets.sent(frame.payload.length)
    if (core.responder !== undefined && core.responder.inbound.length > 0) this.receiver.echo(core.responder)
    if (frames.length > 0) core.liveness.writeBegan(now)
    if (core.closing && !core.outbound.hasFrames) core.over(core.closed)
    core.announceRoom()
    core.announceIdle()
    return frames
  }

  takeEvents(): ReadonlyArray<Event> {
    return this.core.takeEvents()
  }

  /** When `tick` wants to be called, in milliseconds; `Infinity` when never. */
  nextDeadline(): number {
    const core = this.core
    if (core.end !== undefined) return Infinity
    return Math.min(core.liveness.next(), core.credit.next(), core.waitingForCredit.next(), core.untyped.next())
  }

  /** Why no more streams will be opened or accepted, once that is so. */
  get refusal(): SessionEnd | undefined {
    return this.core.end ?? (this.core.draining ? this.core.closed : undefined)
  }

  /** What makes it likely that one side is typed and the other is not, in words. */
  get suspicion(): string | undefined {
    return this.core.suspicion
  }

  /** Why the peer leaves, once it has sent GOAWAY. */
  get remoteEnd(): SessionEnd | undefined {
    return this.core.remoteEnd
  }

  /** Why the session is over, once it is. */
  get end(): SessionEnd | undefined {
    return this.core.end
  }

  stats(now: number = this.core.now): ConnectionStats {
    const { budgets, capacity, credit, heartbeats, received, table } = this.core
    let bufferedBytes = 0
    for (const stream of table.values()) bufferedBytes += stream.inbound.length
    return {
      inboundStreams: table.inboundCount,
      outboundStreams: table.outboundCount,
      backlog: table.backlog,
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

  // ---

  /** The text of Rust's GOAWAY runs over its frame, and may look like the beginning of one that is never completed. */
  private endOf(verdict: Extract<SessionEnd, { _tag: "Dead" }>): SessionEnd {
    if (verdict.reason === "PartialFrame") return this.core.remoteEnd ?? verdict
    // one that leaves refuses the stream of a first heartbeat, which says nothing of whether it knows them
    const { heartbeats, remoteGoAway } = this.core
    const answered = heartbeats.roundTrip !== undefined || heartbeats.refused || remoteGoAway !== undefined
    return verdict.reason === "WriteStalled" || answered ? verdict : { ...verdict, neverAnswered: true }
  }

  private refusesOpen(): SessionEnd | undefined {
    return this.refusal ?? this.core.remoteGoAway
  }

  private create(type: number | undefined): StreamCore | undefined {
    const { options, outbound, table } = this.core
    const id = table.takeLocalId()
    if (id === undefined) return undefined
    const stream = new StreamCore(id, "Local", options, type)
    if (type !== undefined) stream.sendWindow.consume(4)
    table.add(stream)
    this.core.budgets.streamBegan()
    outbound.schedule(stream)
    return stream
  }

  /** Not to a peer that takes no streams any more, nor where the window has no room for type and number. */
  private openHeartbeats(): StreamCore | undefined {
    const { options, remoteGoAway } = this.core
    if (remoteGoAway !== undefined || options.peerWindow < 2 * HEARTBEAT_LENGTH) return undefined
    return this.create(HEARTBEAT_TYPE)
  }

  private blockWriter(stream: StreamCore): void {
    const core = this.core
    stream.writeBlocked = true
    if (stream.sendWindow.credit === 0) return
    if (this.core.capacity.available(stream) === 0) core.capacity.wait(stream)
    else core.waitingForCredit.add(stream, core.now)
  }
}
