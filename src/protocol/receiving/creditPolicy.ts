/**
 * Decides when the peer gets credit, and how much the receive windows grow.
 *
 * Wire: `docs/PROTOCOL.md`, section 4.
 *
 * @since 0.1.0
 */
import type { Scheduler } from "../sending/scheduler.js"
import { WindowGrowth } from "./windowGrowth.js"
import { StalledSenders } from "./stalledSenders.js"
import type { StreamCore } from "../streams/streamCore.js"
import { canReceive } from "../streams/streamState.js"
import type { StreamTable } from "../streams/streamTable.js"

/** A message is short if its increment is less than 1/16 of the window. */
const SHORT_MESSAGE = 16

/**
 * Even a local peer needs about 1 ms to use an increment, so windows cover `SHORT_TRIP` milliseconds of data. The total
 * of all streams is at most `SHORT_LIMIT` bytes, because queued data delays urgent frames.
 */
const SHORT_TRIP = 1
const SHORT_LIMIT = 1024 * 1024

/** In bytes. */
interface CreditOptions {
  readonly window: number
  readonly maxWindow: number
  readonly maxReceiveBuffer: number
  readonly growthLimit: number
}

/**
 * Grants credit for consumed bytes, and lets windows grow. A window that is consumed within one round trip limits its
 * sender. A window of twice the bytes that are consumed in a round trip does not. A larger one only fills buffers.
 *
 * @since 0.1.0
 * @category models
 */
export class CreditPolicy {
  /** The growth of the windows of all live streams, in bytes. */
  grown = 0

  /** The number of live streams whose growth is tracked. */
  private watched = 0

  /** Streams whose buffer is empty and that have ungranted credit. */
  private readonly starved = new StalledSenders<StreamCore>()
  /**
   * The shortest measured round trip, in milliseconds. A longer one includes time in buffers, and windows would grow to
   * fill those buffers.
   */
  private roundTrip = Infinity
  /**
   * The highest measured rate of a stream, in bytes per millisecond. It lets the windows of other streams grow in
   * larger steps.
   */
  private fastest = 0

  constructor(
    private readonly options: CreditOptions,
    private readonly table: StreamTable,
    private readonly outbound: Scheduler
  ) {}

  /** A round trip was measured. */
  timed(roundTrip: number): void {
    this.roundTrip = Math.min(this.roundTrip, roundTrip)
  }

  /** Bytes arrived for a stream. */
  arrived(stream: StreamCore, length: number, now: number): void {
    // an empty frame does not show that the peer has credit left
    if (length === 0) return
    this.starved.delete(stream)
    const roundTrip = stream.growth?.arrived(length, now)
    if (roundTrip !== undefined) this.timed(roundTrip)
  }

  /**
   * The application has consumed bytes: grants credit now, or, if the buffer is empty, after 10 or 200 ms of silence.
   */
  consumed(stream: StreamCore, length: number, now: number): void {
    const { receiveWindow } = stream
    receiveWindow.consume(length)
    if (!canReceive(stream.state)) return
    const increment = receiveWindow.takeDue(this.roundTrip <= SHORT_TRIP)
    if (increment > 0) {
      this.starved.delete(stream)
      this.grant(stream, increment, now)
    } else if (stream.inbound.length === 0) {
      this.starved.add(stream, receiveWindow.leavesCredit, now)
    }
  }

  /** Grants the remaining credit of streams that stayed silent after their buffers became empty. */
  release(now: number): void {
    for (const stream of this.starved.takeDue(now)) {
      const increment = canReceive(stream.state) ? stream.receiveWindow.takeStalled() : 0
      if (increment > 0) this.grant(stream, increment, now)
    }
  }

  /**
   * The application has stopped reading: grants all received bytes, and the bytes that an arriving frame has announced.
   */
  releaseAll(stream: StreamCore): void {
    const { receiveWindow } = stream
    receiveWindow.consume(receiveWindow.size - receiveWindow.available - receiveWindow.consumed)
    const increment = receiveWindow.takeAll()
    if (increment > 0) this.outbound.grant(stream.id, increment)
  }

  /** The peer sends no more on a stream. */
  settle(stream: StreamCore): void {
    this.starved.delete(stream)
  }

  /** A stream has left the table. */
  forget(stream: StreamCore): void {
    this.starved.delete(stream)
    this.grown -= stream.receiveWindow.grown
    if (stream.growth !== undefined) this.watched--
  }

  /** Nothing more is granted. */
  stop(): void {
    this.starved.clear()
  }

  /** All streams have left the table. */
  clear(): void {
    this.stop()
    this.grown = 0
    this.watched = 0
  }

  /** The time at which `release` must be called, in milliseconds; `Infinity` if never. */
  next(): number {
    return this.starved.next()
  }

  private grant(stream: StreamCore, increment: number, now: number): void {
    // a short message does not show that more follows, and heartbeats never need a larger window
    const short = stream.isHeartbeat || increment * SHORT_MESSAGE < stream.receiveWindow.size
    const watched = stream.growth !== undefined || !short
    this.outbound.grant(stream.id, increment + (watched ? this.growth(stream, increment, now) : 0))
  }

  /** The number of bytes by which a window grows together with this increment. */
  private growth(stream: StreamCore, increment: number, now: number): number {
    const { maxWindow } = this.options
    const { receiveWindow } = stream
    const { size } = receiveWindow
    const pace = stream.growth ?? this.watch(stream, now)
    pace.granted(increment, receiveWindow.available - increment, now)
    const rate = pace.rate(this.roundTrip, now)
    if (rate === undefined) return 0
    this.fastest = Math.max(this.fastest, rate)
    const long = Math.min(2 * rate * this.roundTrip, size + this.room)
    const short = Math.min(2 * rate * SHORT_TRIP, size + Math.min(this.room, this.shortRoom))
    const wanted = Math.min(maxWindow, Math.ceil(Math.max(long, short)))
    const bytes = pace.next(size, wanted, this.known(size)) - size
    if (bytes <= 0) return 0
    this.grown += bytes
    receiveWindow.grow(bytes)
    return bytes
  }

  /** The window for the highest measured rate, limited to what a window of `size` bytes may grow to. */
  private known(size: number): number {
    if (this.roundTrip <= SHORT_TRIP) return 0
    return Math.min(Math.ceil(2 * this.fastest * this.roundTrip), this.options.maxWindow, size + this.room)
  }

  private watch(stream: StreamCore, now: number): WindowGrowth {
    this.watched++
    const pace = new WindowGrowth(now)
    stream.growth = pace
    return pace
  }

  /**
   * The bytes by which all windows together may still grow. They stay within `maxReceiveBuffer`, so that a peer that
   * keeps to its windows is not reset for its memory.
   */
  private get room(): number {
    const { growthLimit, maxReceiveBuffer, window } = this.options
    return Math.min(growthLimit, maxReceiveBuffer - this.table.size * window) - this.grown
  }

  /** The same limit for growth that only covers `SHORT_TRIP`. */
  private get shortRoom(): number {
    return SHORT_LIMIT - this.watched * this.options.window - this.grown
  }
}
