/**
 * Limits the unsent bytes of all streams of a session together, and holds the writers that wait for free capacity.
 *
 * @since 0.1.0
 */
import type { StreamCore } from "../streams/streamCore.js"

/** An eighth of the limit is reserved for streams that have no unsent bytes. */
const RESERVE = 8

/**
 * Counts accepted bytes until they are sent or dropped.
 *
 * @since 0.1.0
 * @category models
 */
export class SendCapacity {
  /** Accepted payload bytes that were not sent. */
  queued = 0

  /** Bytes sent since writers were last woken, or since the first one began to wait. */
  private sentSince = 0
  private readonly waiting = new Set<StreamCore>()

  /** `limit` in bytes. */
  constructor(private readonly limit: number) {}

  /** The number of bytes that a stream may add now. */
  available(stream: StreamCore): number {
    const reserve = stream.outbound.length === 0 ? 0 : Math.floor(this.limit / RESERVE)
    return Math.max(0, this.limit - reserve - this.queued)
  }

  /** Bytes were accepted. */
  use(bytes: number): void {
    this.queued += bytes
  }

  /** Bytes were sent. */
  sent(bytes: number): void {
    this.queued -= bytes
    if (this.waiting.size > 0) this.sentSince += bytes
  }

  /** Accepted bytes were dropped or withdrawn. */
  release(bytes: number): void {
    this.queued -= bytes
  }

  /** All accepted bytes were dropped. */
  releaseAll(): void {
    this.queued = 0
  }

  /** The writer of a stream waits for capacity. */
  wait(stream: StreamCore): void {
    // bytes that were sent before a writer waited gave no other stream a turn
    if (this.waiting.size === 0) this.sentSince = 0
    this.waiting.add(stream)
  }

  /** Whether any writer waits. */
  get isAwaited(): boolean {
    return this.waiting.size > 0
  }

  isAwaitedBy(stream: StreamCore): boolean {
    return this.waiting.has(stream)
  }

  stopWaiting(stream: StreamCore): void {
    this.waiting.delete(stream)
  }

  clearWaiting(): void {
    this.waiting.clear()
  }

  /**
   * Returns the streams whose writers are woken now, in order. Returns none until half of the limit is free, or until
   * as many bytes as the limit were sent, because other streams have had a turn by then. Streams that got nothing the
   * last time come first. Otherwise the writers before them would take all capacity again.
   */
  takeWaiting(): ReadonlyArray<StreamCore> {
    if (this.queued * 2 > this.limit && this.sentSince < this.limit) return NO_STREAMS
    const streams = [...this.waiting]
    this.waiting.clear()
    return [...streams.filter((stream) => !stream.gotRoom), ...streams.filter((stream) => stream.gotRoom)]
  }
}

const NO_STREAMS: ReadonlyArray<StreamCore> = []
