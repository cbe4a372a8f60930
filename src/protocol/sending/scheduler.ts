/**
 * Holds the frames to send, and decides their order.
 *
 * Control frames come first. They are state: one RST and one increment for each stream, and one GOAWAY. So a peer
 * cannot make a queue of them grow. Heartbeats come next, then streams. A stream that had nothing to send is
 * interactive: it goes first for one turn of 16 KiB, so that a small write does not wait behind bulk data. Streams with
 * more to send take turns.
 *
 * @since 0.1.0
 */
import type { ErrorCode } from "../wire/errorCode.js"
import type { Frame, GoAway } from "../wire/frame.js"
import { data, goAwayFiller, HEADER_LENGTH, rst, windowIncrement } from "../wire/frame.js"
import { encodeUint32 } from "../wire/heartbeat.js"
import { newArray } from "../collections/v8.js"
import type { SendCapacity } from "./sendCapacity.js"
import type { StreamCore } from "../streams/streamCore.js"
import { ByteTotal } from "../collections/v8.js"
import { LinkedQueue } from "../collections/linkedQueue.js"

/** The length of a stream's turn, and the longest DATA payload, while other streams wait, in bytes. */
const QUANTUM = 16 * 1024

/** The same for the only stream with something to send. */
const LONGEST_PAYLOAD = 64 * 1024

/** A SYN frame carries the queued bytes if there are at most this many. Otherwise they follow in other frames. */
const SYN_PAYLOAD = 4 * 1024

const TYPE_LENGTH = 4

/** After this many bytes of interactive streams, one of the waiting streams gets a turn. */
const FRESH_BYTES = 4 * QUANTUM

/**
 * The queued frames of one session.
 *
 * @since 0.1.0
 * @category models
 */
export class Scheduler {
  private readonly resets = new Map<number, ErrorCode>()
  private readonly increments = new Map<number, number>()
  private readonly heartbeats = new LinkedQueue<StreamCore>()
  private readonly interactive = new LinkedQueue<StreamCore>()
  private readonly waiting = new LinkedQueue<StreamCore>()
  private interactiveBytes = 0
  /** Bytes on the wire that all streams together have sent. */
  private readonly given = new ByteTotal()
  private goAway: GoAway | undefined = undefined
  private goAwayWaits = false

  /**
   * `finSent` is called when a FIN was taken, and changes the state of the stream. `bytesLost` is called when the
   * memory of a stream's next bytes was detached, and ends the stream.
   */
  constructor(
    private readonly capacity: SendCapacity,
    private readonly finSent: (stream: StreamCore) => void,
    private readonly bytesLost: (stream: StreamCore) => void
  ) {}

  /** The number of queued RSTs. */
  get pendingResets(): number {
    return this.resets.size
  }

  /** Whether `take` would return frames. */
  get hasFrames(): boolean {
    return this.hasControl || this.hasStreams || this.goAway !== undefined
  }

  /** Whether streams have something to send. */
  get hasStreams(): boolean {
    return this.interactive.size > 0 || this.waiting.size > 0
  }

  /** A stream has something to send. */
  schedule(stream: StreamCore): void {
    if (stream.isHeartbeat) this.heartbeats.add(stream)
    else if (this.waiting.has(stream)) return
    else if (stream.priorityRegainedAt <= this.given.value) this.interactive.add(stream)
    else this.waiting.add(stream)
  }

  /** Drops the queued bytes of a stream, and its place in a queue. */
  unschedule(stream: StreamCore): void {
    this.capacity.release(stream.outbound.clear())
    stream.queue?.delete(stream)
  }

  reset(id: number, code: ErrorCode): void {
    this.resets.set(id, code)
  }

  grant(id: number, increment: number): void {
    this.increments.set(id, (this.increments.get(id) ?? 0) + increment)
  }

  /** Drops the queued increment of an id. */
  cancelIncrement(id: number): void {
    this.increments.delete(id)
  }

  /** Queues a GOAWAY: at once, or after everything that streams have to send. */
  setGoAway(frame: GoAway, when: "Now" | "Last"): void {
    this.goAway = frame
    this.goAwayWaits = when === "Last"
  }

  /** Drops everything except a queued GOAWAY. */
  abandon(): void {
    this.capacity.releaseAll()
    this.resets.clear()
    this.increments.clear()
    this.heartbeats.clear()
    this.interactive.clear()
    this.waiting.clear()
  }

  /** Takes the next batch: control, then about `budget` bytes of streams. */
  take(budget: number): ReadonlyArray<Frame> {
    const frames = newArray<Frame>()
    if (this.hasControl) this.takeControl(frames)
    let left = budget
    while (left > 0 && this.hasStreams) left -= this.takeTurn(frames)
    if (this.goAway !== undefined && !this.hasStreams) this.takeGoAway(frames)
    return frames
  }

  private get hasControl(): boolean {
    return (
      this.resets.size > 0 ||
      this.increments.size > 0 ||
      this.heartbeats.size > 0 ||
      (this.goAway !== undefined && !this.goAwayWaits)
    )
  }

  private takeControl(frames: Array<Frame>): void {
    if (this.resets.size > 0) {
      for (const [id, code] of this.resets) frames.push(rst(id, code))
      this.resets.clear()
    }
    if (this.increments.size > 0) {
      for (const [id, increment] of this.increments) frames.push(windowIncrement(id, increment))
      this.increments.clear()
    }
    if (this.goAway !== undefined && !this.goAwayWaits) this.takeGoAway(frames)
    for (let stream = this.heartbeats.shift(); stream !== undefined; stream = this.heartbeats.shift()) {
      while (stream.hasOutput && this.takeFrame(stream, LONGEST_PAYLOAD, frames) > 0);
    }
  }

  private takeGoAway(frames: Array<Frame>): void {
    if (this.goAway === undefined) return
    // Go's reader reads 8 bytes past a GOAWAY: these are the 8 bytes that it may lose
    frames.push(this.goAway, goAwayFiller)
    this.goAway = undefined
  }

  /** One stream's turn. Returns its bytes on the wire. */
  private takeTurn(frames: Array<Frame>): number {
    const isFresh = this.interactive.size > 0 && (this.interactiveBytes < FRESH_BYTES || this.waiting.size === 0)
    const stream = (isFresh ? this.interactive : this.waiting).shift()
    if (stream === undefined) return 0
    const alone = this.interactive.size === 0 && this.waiting.size === 0
    const quantum = alone ? LONGEST_PAYLOAD : QUANTUM
    let taken = 0
    while (stream.hasOutput && taken < quantum) {
      if (stream.outbound.isBroken) {
        this.bytesLost(stream)
        return taken
      }
      taken += this.takeFrame(stream, quantum - taken, frames)
    }
    this.given.add(taken)
    if (stream.hasOutput) this.waiting.add(stream)
    // otherwise a stream that writes again each time its bytes are sent would always go first
    else if (!alone) stream.priorityRegainedAt = this.given.value + taken * (this.interactive.size + this.waiting.size)
    this.interactiveBytes = isFresh ? this.interactiveBytes + taken : 0
    return taken
  }

  /** Takes the next frame of a stream that has output. Returns its bytes on the wire. */
  private takeFrame(stream: StreamCore, longest: number, frames: Array<Frame>): number {
    if (stream.synDue) {
      stream.synDue = false
      const payload = this.takeSynPayload(stream)
      // a SYN frame never has FIN, because Go's acceptor could not answer then
      frames.push(data(stream.id, payload, { syn: true }))
      return HEADER_LENGTH + payload.length
    }
    const payload = stream.outbound.take(longest)
    if (payload !== undefined) this.capacity.sent(payload.length)
    const fin = stream.finDue && stream.outbound.length === 0
    frames.push(data(stream.id, payload, { fin }))
    if (fin) this.finSent(stream)
    return HEADER_LENGTH + (payload?.length ?? 0)
  }

  /** The 4 bytes of the type, and the queued bytes if there are at most `SYN_PAYLOAD`. */
  private takeSynPayload(stream: StreamCore): Uint8Array {
    const payload = stream.outbound.length <= SYN_PAYLOAD ? stream.outbound.take() : undefined
    if (payload !== undefined) this.capacity.sent(payload.length)
    const { type } = stream
    if (type === undefined || !stream.sendsType) return payload ?? new Uint8Array(0)
    if (payload === undefined) return encodeUint32(type)
    const bytes = new Uint8Array(TYPE_LENGTH + payload.length)
    bytes[0] = type >>> 24
    bytes[1] = type >>> 16
    bytes[2] = type >>> 8
    bytes[3] = type
    bytes.set(payload, TYPE_LENGTH)
    return bytes
  }
}
