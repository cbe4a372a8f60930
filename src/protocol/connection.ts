/**
 * One muxado session without I/O: frames and commands go in, frames and events come out.
 *
 * Every function is synchronous. Time comes in as `now`, milliseconds of a clock that only goes forward; a function without
 * it works with the last one. Random numbers are arguments. A fault of the peer is a value, never an exception.
 *
 * | input | call it when |
 * | --- | --- |
 * | `heard`, then `receive` for each frame | a chunk arrived; the frames are what `Decoder.push` made of it, be it none |
 * | `written` | the transport has taken the frames of the last `takeFrames` |
 * | `transportFailed` | the transport failed, or the peer has ended it |
 * | `tick` | the time of `nextDeadline` has come |
 *
 * | commands | |
 * | --- | --- |
 * | of the session | `open`, `accept`, `setAcceptCapacity`, `ping`, `goAway`, `drain`, `close`, `abort`, `resetAll` |
 * | of a stream | `write`, `withdraw`, `unblockWriter`, `finish`, `bytesLost`, `read`, `stopReading`, `reset`, `refuse` |
 *
 * | output | drain it |
 * | --- | --- |
 * | `takeEvents` | after each input, each command and `takeFrames`, until it gives none: an event may lead to commands |
 * | `hasFrames`, `takeFrames` | after that, one batch at a time: `encode`, write, `written`, look again; nothing is written of none |
 * | `nextDeadline` | after that: each call above may change it |
 *
 * | event | what to do |
 * | --- | --- |
 * | `Opened` | call `accept` once the application takes the stream, even if it has failed by then, or `refuse` |
 * | `Readable` | `read` again, which was `Blocked` |
 * | `Writable` | `write` again what was not taken |
 * | `Failed`, `Finished` | forget the stream; after `Failed`, `read` and `write` again what was refused: neither event follows |
 * | `BytesLost` | tell the application of its mistake |
 * | `OpenAvailable` | `open` again, until it is `Full` again: one event is for all |
 * | `Pong`, `PingLost` | answer the `ping` with this number; `tick` sends heartbeats too, whose numbers are its nonces |
 * | `GoneAway` | `open` again what was `Full`: it is `Over` now; so it is after `drain`, `close` and `Ended` |
 * | `Idle` | nothing is left to do after `drain`: `close` |
 * | `Ended` | write the last GOAWAY, if `hasFrames`, and end the transport; `tick` no longer limits how long that takes |
 *
 * Note what waits before you drain: its event may come in the same step. No event follows `Ended`. Bytes that had arrived
 * stay readable, and count against `maxReceiveBuffer` until they are read or `stopReading` is called, on any stream.
 *
 * Wire: `docs/PROTOCOL.md`, sections 3 to 6.
 *
 * @since 0.1.0
 */
import type { SessionEnd } from "./endReason.js"
import type { Event } from "./events.js"
import type { ConnectionOptions } from "./options.js"
import type { Owners } from "./owners.js"
import { makeOwners } from "./owners.js"
import type { OpenResult, ReadResult, WriteResult } from "./results.js"
import { BLOCKED, BytesRead, END, FINISHED, STOPPED } from "./results.js"
import type { ConnectionStats } from "./stats.js"
import { connectionStats } from "./stats.js"
import { StreamCore } from "./streams/streamCore.js"
import { ErrorCode } from "./wire/errorCode.js"
import type { Frame, InboundFrame } from "./wire/frame.js"
import { HEARTBEAT_LENGTH, HEARTBEAT_TYPE } from "./wire/heartbeat.js"

/**
 * A session's protocol, over any transport.
 *
 * @since 0.1.0
 * @category models
 */
export class Connection {
  private readonly owners: Owners
  /** An `open` found no room: an `OpenAvailable` event is due. */
  private openBlocked = false

  constructor(
    private readonly options: ConnectionOptions,
    now: number
  ) {
    this.owners = makeOwners(options, now)
  }

  // --- inputs

  /** Bytes arrived, whatever they are; `midFrame` says whether they ended within a frame. */
  heard(midFrame: boolean, now: number): void {
    this.owners.time.now = now
    this.owners.liveness.heard(midFrame, now)
  }

  receive(frame: InboundFrame): void {
    this.owners.receiver.receive(frame)
  }

  /** The transport is gone. A peer that had said goodbye is not blamed for it. */
  transportFailed(end: Extract<SessionEnd, { _tag: "TransportFailed" }>): void {
    this.owners.sessionEndings.transportFailed(end)
  }

  /** The transport has taken the last batch. `takeFrames` starts the limit of `writeTimeout`, and this ends it. */
  written(): void {
    this.owners.liveness.writeEnded()
  }

  /** Time has passed: judges the peer, and does what was put off. `nonce` is a fresh random uint32. */
  tick(now: number, nonce: number): void {
    this.owners.time.now = now
    if (this.owners.lifecycle.isOver) return
    const verdict = this.owners.liveness.check(now)
    if (verdict === "Probe") {
      if (!this.ping(nonce, now)) this.owners.liveness.cannotProbe(now)
    } else if (verdict !== "Alive") return this.owners.sessionEndings.dead(verdict)
    this.owners.credit.release(now)
    this.owners.writers.wakeDue()
    for (const stream of this.owners.untyped.takeDue(now)) {
      this.owners.streamEndings.reset(stream, ErrorCode.StreamRefused)
      this.owners.budgets.charge("refusal")
    }
  }

  // --- commands of the session

  /**
   * Opens a stream: its SYN leaves with the next batch. A typed session needs `type`, a uint32 other than
   * `HEARTBEAT_TYPE`; an untyped one none.
   */
  open(type: number | undefined): OpenResult {
    const end = this.owners.lifecycle.refusal ?? this.owners.lifecycle.remoteGoAway
    if (end !== undefined) return { _tag: "Over", end }
    if (this.outboundIsFull) {
      this.openBlocked = true
      return { _tag: "Full" }
    }
    return this.create(type) ?? { _tag: "Exhausted" }
  }

  private get outboundIsFull(): boolean {
    return this.owners.table.outboundCount >= this.options.maxOutboundStreams
  }

  private create(type: number | undefined): StreamCore | undefined {
    const id = this.owners.table.takeLocalId()
    if (id === undefined) return undefined
    const stream = new StreamCore(id, "Local", this.options, type)
    if (type !== undefined) stream.sendWindow.consume(4)
    this.owners.table.add(stream)
    this.owners.budgets.streamBegan()
    this.owners.scheduler.schedule(stream)
    return stream
  }

  /**
   * How many streams of the peer the application takes as they come: as many of the next ones need no place in the backlog,
   * and no `accept`.
   */
  setAcceptCapacity(streams: number): void {
    this.owners.backlog.acceptCapacity = streams
  }

  /** The application takes a stream that the peer opened: its place in the backlog is free. */
  accept(stream: StreamCore): void {
    this.owners.backlog.leave(stream)
  }

  /**
   * Sends a heartbeat with a number (a uint32); `Pong` or `PingLost` follows. False, and nothing follows, where none can be
   * sent: the session is untyped, closing or over, the peer opens or takes no more streams, no id is left, the peer's window
   * is below 8 bytes, or a heartbeat with this number waits for its answer.
   */
  ping(nonce: number, now: number): boolean {
    this.owners.time.now = now
    if (!this.options.typed || !this.owners.lifecycle.isTalking) return false
    const current = this.owners.heartbeats.stream
    if (current !== undefined && current.sendWindow.credit < HEARTBEAT_LENGTH) {
      this.owners.streamEndings.reset(current, ErrorCode.StreamCancelled)
    }
    const stream = this.owners.heartbeats.stream ?? this.openHeartbeats()
    return stream !== undefined && this.owners.heartbeats.send(stream, nonce)
  }

  /** None to a peer that takes no streams any more, nor where the window has no room for type and number. */
  private openHeartbeats(): StreamCore | undefined {
    const { lifecycle } = this.owners
    if (lifecycle.remoteGoAway !== undefined || this.options.peerWindow < 2 * HEARTBEAT_LENGTH) return undefined
    return this.create(HEARTBEAT_TYPE)
  }

  /** Whether a heartbeat with this number waits for its answer: `ping` does not send it again. */
  awaitsPong(nonce: number): boolean {
    return this.owners.heartbeats.awaits(nonce)
  }

  /** Tells the peer at once that no more of its streams are taken; those that are open go on. */
  goAway(code: number, text: string): void {
    this.owners.sessionEndings.goAway(code, text)
  }

  /** Takes and opens no more streams; an `Idle` event follows when the last one has ended and everything was written. */
  drain(): void {
    this.owners.lifecycle.drain()
  }

  /**
   * Fails every stream here, sends what was accepted, then GOAWAY; `Ended` follows when that was taken. What `goAway` has
   * said before stays the reason.
   */
  close(code: number = ErrorCode.NoError, text: string = ""): void {
    this.owners.sessionEndings.close(code, text)
  }

  /** The session is over at once: nothing more is sent. */
  abort(): void {
    this.owners.sessionEndings.abort()
  }

  /** Ends every stream at once. */
  resetAll(code: number): void {
    for (const stream of this.owners.table.values()) this.reset(stream, code)
  }

  // --- commands of a stream: writing

  /**
   * Takes bytes, as many as the stream's window and the session's bound allow; they are sent, whatever happens to the
   * writer. The caller no longer changes them.
   */
  write(stream: StreamCore, bytes: Uint8Array): WriteResult {
    if (stream.failure !== undefined) return { _tag: "Failed", failure: stream.failure }
    if (stream.writing === "Finishing") return FINISHED
    if (bytes.length === 0) return 0
    const { credit } = stream.sendWindow
    const room = this.owners.capacity.available(stream)
    const small = credit < bytes.length && !stream.sendWindow.worthwhile && !stream.acceptsSmallCredit
    const length = small ? 0 : Math.min(bytes.length, credit, room)
    if (length > 0) {
      stream.acceptsSmallCredit = false
      stream.sendWindow.consume(length)
      stream.outbound.push(length === bytes.length ? bytes : bytes.subarray(0, length))
      this.owners.capacity.use(length)
      this.owners.scheduler.schedule(stream)
    }
    stream.gotRoom = length > 0
    if (length < bytes.length) this.owners.writers.block(stream)
    return length
  }

  /** How many bytes `write` would take now, if they were that many. */
  writable(stream: StreamCore): number {
    if (stream.failure !== undefined || stream.writing === "Finishing") return 0
    return Math.min(stream.sendWindow.credit, this.owners.capacity.available(stream))
  }

  /** Takes back the last bytes of a stream if they were not sent yet; false when it is too late. */
  withdraw(stream: StreamCore, length: number): boolean {
    if (stream.failure !== undefined || stream.outbound.length < length) return false
    if (!stream.outbound.dropLast(length)) return false
    stream.sendWindow.refund(length)
    this.owners.capacity.release(length)
    if (!stream.hasOutput) this.owners.scheduler.unschedule(stream)
    this.owners.writers.withdrew(stream)
    return true
  }

  /** No writer waits on this stream any more: no `Writable` follows. */
  unblockWriter(stream: StreamCore): void {
    this.owners.writers.unblock(stream)
  }

  /** Ends this side's direction: FIN follows the bytes that were taken. No `Writable` follows. */
  finish(stream: StreamCore): void {
    if (stream.failure !== undefined || stream.writing === "Finishing") return
    this.owners.writers.forget(stream)
    stream.writing = "Finishing"
    this.owners.scheduler.schedule(stream)
  }

  /** Bytes of a write are gone before they were taken: resets the stream with InternalError. */
  bytesLost(stream: StreamCore): void {
    if (this.isLive(stream)) this.owners.streamEndings.bytesLost(stream)
  }

  // --- commands of a stream: reading

  /** Takes the bytes that lie first together. The chunk belongs to the caller. */
  read(stream: StreamCore): ReadResult {
    if (stream.reading === "Stopped") return STOPPED
    const bytes = this.owners.received.take(stream)
    if (bytes !== undefined) {
      if (stream.failure === undefined) this.owners.credit.consumed(stream, bytes.length, this.owners.time.now)
      return new BytesRead(bytes)
    }
    // a transport's own chunks may be detached, too
    if (stream.inbound.isBroken) this.owners.streamEndings.receivedBytesLost(stream)
    if (stream.endsCleanly) return END
    if (stream.failure !== undefined) return { _tag: "Failed", failure: stream.failure }
    stream.reading = "Waiting"
    return BLOCKED
  }

  /** The application reads no more: what arrived and what arrives is dropped. */
  stopReading(stream: StreamCore): void {
    if (stream.reading === "Stopped") return
    stream.reading = "Stopped"
    const dropped = this.owners.received.drop(stream)
    if (stream.failure !== undefined) return
    this.owners.credit.consumed(stream, dropped, this.owners.time.now)
    this.owners.streamEndings.settle(stream)
  }

  // --- commands of a stream: both directions

  /** Ends a stream at once, in both directions; `code` is any uint32. Nothing happens to one that is over. */
  reset(stream: StreamCore, code: number): void {
    if (this.isLive(stream)) this.owners.streamEndings.reset(stream, code)
  }

  private isLive(stream: StreamCore): boolean {
    return stream.failure === undefined && this.owners.table.get(stream.id) === stream
  }

  /** Refuses a stream of the peer that the application has not seen. */
  refuse(stream: StreamCore): void {
    this.accept(stream)
    this.reset(stream, ErrorCode.StreamRefused)
  }

  // --- outputs

  /** What has happened since the last call, in order. */
  takeEvents(): ReadonlyArray<Event> {
    this.announce()
    return this.owners.events.take()
  }

  /** Says once, after all that inputs and commands did, what that has made possible. The end of the session says it all. */
  private announce(): void {
    const { capacity, events, lifecycle, writers } = this.owners
    if (lifecycle.isOver) return
    if (capacity.isAwaited) writers.wakeForCapacity()
    if (this.openBlocked && !this.outboundIsFull) {
      this.openBlocked = false
      events.emit({ _tag: "OpenAvailable" })
    }
    if (lifecycle.awaitsIdle && this.isIdle) {
      lifecycle.seeIdle()
      events.emit({ _tag: "Idle" })
    }
  }

  private get isIdle(): boolean {
    const { liveness, scheduler, table } = this.owners
    // what was taken is not yet sent
    return table.inboundCount + table.outboundCount === 0 && !scheduler.hasStreams && !liveness.isWriting
  }

  get hasFrames(): boolean {
    return this.owners.scheduler.hasFrames
  }

  /** Payload bytes that were taken from the application and wait to be sent. */
  get queuedBytes(): number {
    return this.owners.capacity.queued
  }

  /** The frames that are due, control first, with about `budget` bytes of streams. */
  takeFrames(budget: number, now: number): ReadonlyArray<Frame> {
    this.owners.time.now = now
    const frames = this.owners.scheduler.take(budget)
    for (const frame of frames) if (frame._tag === "Data") this.owners.budgets.sent(frame.payload.length)
    this.owners.heartbeats.echo()
    if (frames.length > 0) this.owners.liveness.writeBegan(now)
    if (this.owners.lifecycle.isClosing && !this.owners.scheduler.hasFrames) this.owners.sessionEndings.abort()
    return frames
  }

  /** When `tick` wants to be called, in milliseconds; `Infinity` when never. */
  nextDeadline(): number {
    const { credit, lifecycle, liveness, untyped, writers } = this.owners
    return lifecycle.isOver ? Infinity : Math.min(liveness.next(), credit.next(), writers.next(), untyped.next())
  }

  /** Why this side opens no more streams, once it drains, closes or is over. */
  get refusal(): SessionEnd | undefined {
    return this.owners.lifecycle.refusal
  }

  /** What makes it likely that one side is typed and the other is not, in words. */
  get suspicion(): string | undefined {
    return this.owners.receiver.suspicion
  }

  /** Why the peer leaves, once it has sent GOAWAY. */
  get remoteEnd(): SessionEnd | undefined {
    return this.owners.lifecycle.remoteEnd
  }

  /** Why the session is over, once it is. */
  get end(): SessionEnd | undefined {
    return this.owners.lifecycle.end
  }

  /** The numbers of this moment. */
  stats(now: number = this.owners.time.now): ConnectionStats {
    return connectionStats(this.owners, now)
  }
}
