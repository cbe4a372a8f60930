/**
 * The credit that is given to the peer: when, and how much the windows grow. Synchronous and total.
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

/** What takes less than this part of a window. */
const SHORT_MESSAGE = 16

/**
 * Even a local peer needs about 1 ms to use an increment, so windows cover `SHORT_TRIP` milliseconds of data. The total over
 * all streams is capped at `SHORT_LIMIT` bytes, because queued data delays urgent frames.
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
 * Grants what the application has consumed, and lets windows grow. One that is consumed within a round trip holds its
 * sender back; one of twice the bytes that are consumed in a round trip does not, and a larger one only fills buffers.
 *
 * @since 0.1.0
 * @category models
 */
export class CreditPolicy {
  /** By how much the windows of the live streams are larger than they were at first, in bytes. */
  grown = 0

  /** Streams that have a pace. */
  private watched = 0

  /** Streams whose buffer ran empty with credit still to be granted. */
  private readonly starved = new StalledSenders<StreamCore>()
  /** The shortest that was seen: with the time in buffers, windows would grow to fill those buffers. */
  private roundTrip = Infinity
  /** The most that a stream was consumed at, in bytes a millisecond: the next one need not find out anew. */
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

  /** Bytes arrived that have to be consumed. */
  arrived(stream: StreamCore, length: number, now: number): void {
    // an empty frame is no sign that the peer has credit left
    if (length === 0) return
    this.starved.delete(stream)
    const roundTrip = stream.growth?.arrived(length, now)
    if (roundTrip !== undefined) this.timed(roundTrip)
  }

  /** The application has consumed bytes: grants what is due, now or a little later. */
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

  /** Grants what is due to peers that have been silent since their streams' buffers ran empty. */
  release(now: number): void {
    for (const stream of this.starved.takeDue(now)) {
      const increment = canReceive(stream.state) ? stream.receiveWindow.takeStalled() : 0
      if (increment > 0) this.grant(stream, increment, now)
    }
  }

  /** The stream is not read any more: grants all that was received, and what is announced of a frame that is arriving. */
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

  /** A stream is gone. */
  forget(stream: StreamCore): void {
    this.starved.delete(stream)
    this.grown -= stream.receiveWindow.grown
    if (stream.growth !== undefined) this.watched--
  }

  /** Nothing more is granted. */
  stop(): void {
    this.starved.clear()
  }

  /** All streams are gone. */
  clear(): void {
    this.stop()
    this.grown = 0
    this.watched = 0
  }

  /** When `release` wants to be called, in milliseconds; `Infinity` when never. */
  next(): number {
    return this.starved.next()
  }

  private grant(stream: StreamCore, increment: number, now: number): void {
    // a short message is no sign of more, and heartbeats will always be few
    const short = stream.isHeartbeat || increment * SHORT_MESSAGE < stream.receiveWindow.size
    const watched = stream.growth !== undefined || !short
    this.outbound.grant(stream.id, increment + (watched ? this.growth(stream, increment, now) : 0))
  }

  /** By how much the window of a stream grows, now that it was granted an increment. */
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

  /** The window that a stream as fast as the fastest would have, as far as one of `size` bytes may grow. */
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

  /** By how much windows may still grow: who keeps to them must not be given up for the room that they take. */
  private get room(): number {
    const { growthLimit, maxReceiveBuffer, window } = this.options
    return Math.min(growthLimit, maxReceiveBuffer - this.table.size * window) - this.grown
  }

  /** The same for what only keeps two busy processes from waiting for each other. */
  private get shortRoom(): number {
    return SHORT_LIMIT - this.watched * this.options.window - this.grown
  }
}
