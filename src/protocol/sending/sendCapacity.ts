/**
 * The bound on bytes that wait to be sent, for all streams of a session together, and the writers that wait for it.
 *
 * @since 0.1.0
 */
import type { StreamCore } from "../streams/streamCore.js"

/** This part of the bound (an eighth) is kept for streams that have nothing waiting, whatever the others have. */
const RESERVE = 8

/**
 * Counts accepted bytes until they leave or are dropped.
 *
 * @since 0.1.0
 * @category models
 */
export class SendCapacity {
  /** Payload bytes that were accepted from the application and have not left. */
  queued = 0

  /** Bytes that have left since writers were last woken, or since the first began to wait. */
  private sentSince = 0
  private readonly waiting = new Set<StreamCore>()

  /** `limit` in bytes. */
  constructor(private readonly limit: number) {}

  /** How many bytes a stream may add now. */
  available(stream: StreamCore): number {
    const reserve = stream.outbound.length === 0 ? 0 : Math.floor(this.limit / RESERVE)
    return Math.max(0, this.limit - reserve - this.queued)
  }

  /** Bytes were accepted. */
  use(bytes: number): void {
    this.queued += bytes
  }

  /** Bytes left for the transport. */
  sent(bytes: number): void {
    this.queued -= bytes
    if (this.waiting.size > 0) this.sentSince += bytes
  }

  /** Bytes that were accepted are not sent any more. */
  release(bytes: number): void {
    this.queued -= bytes
  }

  /** Nothing waits to be sent any more. */
  releaseAll(): void {
    this.queued = 0
  }

  /** The writer of a stream waits for capacity. */
  wait(stream: StreamCore): void {
    // what left before anything waited gave the others no turn
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
   * The streams whose writers go on now, in order; none until half of the bound is free, or as much has left as the bound
   * is, since other streams have had their turn by then. A stream that got nothing the last time goes first: writers
   * earlier in line would take all of it again.
   */
  takeWaiting(): ReadonlyArray<StreamCore> {
    if (this.queued * 2 > this.limit && this.sentSince < this.limit) return NO_STREAMS
    const streams = [...this.waiting]
    this.waiting.clear()
    return [...streams.filter((stream) => !stream.gotRoom), ...streams.filter((stream) => stream.gotRoom)]
  }
}

const NO_STREAMS: ReadonlyArray<StreamCore> = []
