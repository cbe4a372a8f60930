/**
 * One muxado session without I/O: frames and commands go in, frames and events come out.
 *
 * Every function is synchronous. Time comes in as `now`, milliseconds of a clock that only goes forward; a function
 * without it works with the last one. Random numbers are arguments. A fault of the peer is a value, never an exception.
 *
 * | input | call it when |
 * | --- | --- |
 * | `heard`, then `receive` for each frame | a chunk arrived; `Decoder.push` returned the frames, maybe none |
 * | `written` | the transport has accepted the frames of the last `takeFrames` |
 * | `transportFailed` | the transport failed, or the peer has ended it |
 * | `tick` | the time of `nextDeadline` has come |
 *
 * | commands | |
 * | --- | --- |
 * | of the session | `open`, `accept`, `defer`, `setAcceptCapacity`, `ping`, `goAway`, `drain`, `close`, `abort`, `resetAll` |
 * | of a stream | `write`, `withdraw`, `unblockWriter`, `finish`, `bytesLost`, `read`, `stopReading`, `reset`, `refuse` |
 *
 * | output | drain it |
 * | --- | --- |
 * | `takeEvents` | after each input, command and `takeFrames`, until it returns none: an event may lead to commands |
 * | `hasFrames`, `takeFrames` | then, batch by batch: `encode`, write, `written`, repeat; do not write an empty batch |
 * | `nextDeadline` | after that: each call above may change it |
 *
 * | event | what to do |
 * | --- | --- |
 * | `Opened` | call `accept` when the application takes the stream, even if it has failed by then; or `refuse` |
 * | `Readable` | call `read` again: the last one was `Blocked` |
 * | `Writable` | call `write` again with the rest of the bytes |
 * | `Failed`, `Finished` | forget the stream; after `Failed`, repeat a blocked `read` or `write`: no event follows |
 * | `BytesLost` | report the mistake to the application |
 * | `OpenAvailable` | call `open` for each waiting caller, until it returns `Full`: one event is for all |
 * | `Pong`, `PingLost` | complete the `ping` with this number; `tick` pings too, with its `nonce` as the number |
 * | `GoneAway` | repeat each `open` that was `Full`: it is `Over` now, as after `drain`, `close` and `Ended` |
 * | `Idle` | call `close`: `drain` was called, and nothing is left to do |
 * | `Ended` | write the last GOAWAY, if `hasFrames`, and end the transport; `tick` sets no limit for that |
 *
 * Register a waiter before you drain the outputs: its event may come in the same step. No event follows `Ended`.
 * Received bytes of any stream stay readable, and count against `maxReceiveBuffer` until `read` or `stopReading`.
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
import { sendHeartbeat, sendProbe } from "./pinging.js"
import type { ConnectionStats } from "./stats.js"
import { connectionStats } from "./stats.js"
import { openStream } from "./streams/openStream.js"
import type { StreamCore } from "./streams/streamCore.js"
import { ErrorCode } from "./wire/errorCode.js"
import type { Frame, InboundFrame } from "./wire/frame.js"

/**
 * A session's protocol, over any transport.
 *
 * @since 0.1.0
 * @category models
 */
export class Connection {
  private readonly owners: Owners
  /** An `open` returned `Full`: an `OpenAvailable` event is due. */
  private openBlocked = false

  constructor(
    private readonly options: ConnectionOptions,
    now: number
  ) {
    this.owners = makeOwners(options, now)
  }

  // --- inputs

  /** Bytes arrived. `midFrame` is true if they end inside a frame. */
  heard(midFrame: boolean, now: number): void {
    this.owners.time.now = now
    this.owners.liveness.heard(midFrame, now)
  }

  receive(frame: InboundFrame): void {
    this.owners.receiver.receive(frame)
  }

  /** The transport has failed or ended. If the peer had sent GOAWAY, that GOAWAY is the reason for the end. */
  transportFailed(end: Extract<SessionEnd, { _tag: "TransportFailed" }>): void {
    this.owners.sessionEndings.transportFailed(end)
  }

  /** The transport has accepted the last batch. `takeFrames` starts the time of `writeTimeout`, and this stops it. */
  written(): void {
    this.owners.liveness.writeEnded()
  }

  /** Time has passed: checks that the peer is alive, and does the work that is due. `nonce` is a new random uint32. */
  tick(now: number, nonce: number): void {
    this.owners.time.now = now
    if (this.owners.lifecycle.isOver) return
    const verdict = this.owners.liveness.check(now)
    if (verdict === "Probe") {
      if (!this.ping(nonce, now) && !sendProbe(this.owners, this.options)) this.owners.liveness.cannotProbe(now)
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
    return openStream(this.owners, this.options, type) ?? { _tag: "Exhausted" }
  }

  private get outboundIsFull(): boolean {
    return this.owners.table.outboundCount >= this.options.maxOutboundStreams
  }

  /**
   * Sets how many of the peer's next streams the application takes at once, without a place in the backlog or `accept`.
   */
  setAcceptCapacity(streams: number): void {
    this.owners.backlog.acceptCapacity = streams
  }

  /** The application takes a stream of the peer, which frees its place in the backlog. */
  accept(stream: StreamCore): void {
    this.owners.backlog.leave(stream)
  }

  /** The application does not take a stream that `setAcceptCapacity` covers: the stream waits in the backlog. */
  defer(stream: StreamCore): void {
    this.owners.backlog.defer(stream)
  }

  /**
   * Sends a heartbeat with a number (a uint32); `Pong` or `PingLost` follows. Returns false, and no event follows, if the
   * session is untyped, closing or over; if this number is pending; or if no heartbeat stream can be opened (after the
   * peer's GOAWAY, with no id left, or with a `peerWindow` below 8 bytes).
   */
  ping(nonce: number, now: number): boolean {
    this.owners.time.now = now
    return sendHeartbeat(this.owners, this.options, nonce)
  }

  /** Whether a heartbeat with this number waits for its answer: `ping` does not send it again. */
  awaitsPong(nonce: number): boolean {
    return this.owners.heartbeats.awaits(nonce)
  }

  /** Sends GOAWAY at once: this side accepts no more streams. Open streams continue. */
  goAway(code: number, text: string): void {
    this.owners.sessionEndings.goAway(code, text)
  }

  /**
   * Accepts and opens no more streams, and announces this with GOAWAY; `Idle` follows when the last one has ended and
   * everything was written.
   */
  drain(): void {
    this.owners.draining.begin()
  }

  /**
   * Fails every stream on this side, sends the accepted bytes, then GOAWAY; `Ended` follows when `takeFrames` has
   * returned it. A reason that `goAway` gave before stays the reason.
   */
  close(code: number = ErrorCode.NoError, text: string = ""): void {
    this.owners.sessionEndings.close(code, text)
  }

  /** Ends the session at once: nothing more is sent. */
  abort(): void {
    this.owners.sessionEndings.abort()
  }

  /** Ends every stream at once. */
  resetAll(code: number): void {
    for (const stream of this.owners.table.values()) this.reset(stream, code)
  }

  // --- commands of a stream: writing

  /**
   * Accepts bytes, as many as the stream's credit and the session's send buffer allow. They are sent unless `withdraw`
   * or the end of the stream drops them. The caller must not change them.
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

  /** The maximum number of bytes that `write` would accept now. */
  writable(stream: StreamCore): number {
    if (stream.failure !== undefined || stream.writing === "Finishing") return 0
    return Math.min(stream.sendWindow.credit, this.owners.capacity.available(stream))
  }

  /** Takes back the last bytes of a stream. False if some were sent or detached, or if the stream has failed. */
  withdraw(stream: StreamCore, length: number): boolean {
    if (stream.failure !== undefined || !stream.outbound.dropLast(length)) return false
    stream.sendWindow.refund(length)
    this.owners.capacity.release(length)
    if (!stream.hasOutput) this.owners.scheduler.unschedule(stream)
    this.owners.writers.withdrew(stream)
    return true
  }

  /** The writer of this stream stops waiting: no `Writable` follows. */
  unblockWriter(stream: StreamCore): void {
    this.owners.writers.unblock(stream)
  }

  /** Ends this side's direction: FIN follows the accepted bytes. No `Writable` follows. */
  finish(stream: StreamCore): void {
    if (stream.failure !== undefined || stream.writing === "Finishing") return
    this.owners.writers.forget(stream)
    stream.writing = "Finishing"
    this.owners.scheduler.schedule(stream)
  }

  /** The memory of a write was detached before its bytes were accepted: resets the stream with InternalError. */
  bytesLost(stream: StreamCore): void {
    if (this.isLive(stream)) this.owners.streamEndings.bytesLost(stream)
  }

  // --- commands of a stream: reading

  /** Takes the first chunk of received bytes. It belongs to the caller. */
  read(stream: StreamCore): ReadResult {
    if (stream.reading === "Stopped") return STOPPED
    const bytes = this.owners.received.take(stream)
    if (bytes !== undefined) {
      if (stream.failure === undefined) this.owners.credit.consumed(stream, bytes.length, this.owners.time.now)
      return new BytesRead(bytes)
    }
    // the memory of a transport's chunks may be detached too
    if (stream.inbound.isBroken) this.owners.streamEndings.receivedBytesLost(stream)
    if (stream.endsCleanly) return END
    if (stream.failure !== undefined) return { _tag: "Failed", failure: stream.failure }
    stream.reading = "Waiting"
    return BLOCKED
  }

  /** The application stops reading: drops the received bytes and all later ones. */
  stopReading(stream: StreamCore): void {
    if (stream.reading === "Stopped") return
    stream.reading = "Stopped"
    const dropped = this.owners.received.drop(stream)
    if (stream.failure !== undefined) return
    this.owners.credit.consumed(stream, dropped, this.owners.time.now)
    this.owners.streamEndings.settle(stream)
  }

  // --- commands of a stream: both directions

  /** Ends a stream at once, in both directions; `code` is any uint32. It does nothing if the stream has ended. */
  reset(stream: StreamCore, code: number): void {
    if (this.isLive(stream)) this.owners.streamEndings.reset(stream, code)
  }

  /** Whether a stream is open: it has not failed, and both directions have not ended. */
  isLive(stream: StreamCore): boolean {
    return stream.failure === undefined && this.owners.table.get(stream.id) === stream
  }

  /**
   * Refuses a stream of the peer that the application has not seen. `AcceptQueueFull` is charged as when this class
   * refuses a stream with it. `StreamRefused` is free: it says that nothing serves the stream, which is no fault of an
   * honest peer that is older or newer. It costs less than a stream whose handler returns at once, which is free too.
   */
  refuse(stream: StreamCore, code: ErrorCode = ErrorCode.StreamRefused): void {
    this.accept(stream)
    this.reset(stream, code)
    if (code === ErrorCode.AcceptQueueFull && !this.owners.lifecycle.isLeaving) this.owners.budgets.charge("refusal")
  }

  // --- outputs

  /** The events since the last call, in order. */
  takeEvents(): ReadonlyArray<Event> {
    this.announce()
    return this.owners.events.take()
  }

  /** Emits the events that depend on all inputs and commands together; after `Ended` none. */
  private announce(): void {
    const { capacity, draining, events, lifecycle, writers } = this.owners
    if (lifecycle.isOver) return
    if (capacity.isAwaited) writers.wakeForCapacity()
    if (this.openBlocked && !this.outboundIsFull) {
      this.openBlocked = false
      events.emit({ _tag: "OpenAvailable" })
    }
    draining.announceEnd()
  }

  get hasFrames(): boolean {
    return this.owners.scheduler.hasFrames
  }

  /** The number of open streams of both sides, without heartbeats. */
  get openStreams(): number {
    return this.owners.table.inboundCount + this.owners.table.outboundCount
  }

  /** When the last byte of the peer arrived, in milliseconds. */
  get lastHeard(): number {
    return this.owners.liveness.lastHeard
  }

  /** Accepted payload bytes that were not sent. */
  get queuedBytes(): number {
    return this.owners.capacity.queued
  }

  /** Takes the frames to send: control first, then about `budget` bytes of streams. */
  takeFrames(budget: number, now: number): ReadonlyArray<Frame> {
    this.owners.time.now = now
    const frames = this.owners.scheduler.take(budget)
    for (const frame of frames) if (frame._tag === "Data") this.owners.budgets.sent(frame.payload.length)
    this.owners.heartbeats.echo()
    if (frames.length > 0) this.owners.liveness.writeBegan(now)
    if (this.owners.lifecycle.isClosing && !this.owners.scheduler.hasFrames) this.owners.sessionEndings.abort()
    return frames
  }

  /** The time at which `tick` must be called, in milliseconds; `Infinity` if never. */
  nextDeadline(): number {
    const { credit, lifecycle, liveness, untyped, writers } = this.owners
    return lifecycle.isOver ? Infinity : Math.min(liveness.next(), credit.next(), writers.next(), untyped.next())
  }

  /** Why this side opens no more streams; `undefined` until it drains, closes or is over. */
  get refusal(): SessionEnd | undefined {
    return this.owners.lifecycle.refusal
  }

  /** The reason to suspect that only one side is typed, as a text; `undefined` if there is none. */
  get suspicion(): string | undefined {
    return this.owners.receiver.suspicion
  }

  /** Why the peer leaves; `undefined` until it sends GOAWAY. */
  get remoteEnd(): SessionEnd | undefined {
    return this.owners.lifecycle.remoteEnd
  }

  /** Why the session is over; `undefined` before. */
  get end(): SessionEnd | undefined {
    return this.owners.lifecycle.end
  }

  /** The current statistics. */
  stats(now: number = this.owners.time.now): ConnectionStats {
    return connectionStats(this.owners, now)
  }
}
