/**
 * What is to be sent, and in which order. Synchronous and total.
 *
 * Control comes first and is state, never a queue that a peer could make grow without bound: one RST and one increment
 * per stream, one GOAWAY. Then heartbeats. Then the streams: one that had nothing to send for a while goes first, for
 * one quantum, so that a small write never waits behind bulk; those with more to send take turns.
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

/** The longest DATA payload while other streams wait, in bytes, and what a stream may send in one turn. */
const QUANTUM = 16 * 1024

/** The longest DATA payload of a stream that is alone, in bytes. */
const LONGEST_PAYLOAD = 64 * 1024

/** Up to this many bytes are copied behind the type in a SYN frame; more follow in frames of their own. */
const SYN_PAYLOAD = 4 * 1024

const TYPE_LENGTH = 4

/** After so many bytes of streams that go first, one of those that take turns gets its turn. */
const FRESH_BYTES = 4 * QUANTUM

/**
 * The frames that wait, per session.
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
  /** Bytes that all streams together were given, on the wire. */
  private readonly given = new ByteTotal()
  private goAway: GoAway | undefined = undefined
  private goAwayWaits = false

  /**
   * `finSent` is called when a FIN was taken: the stream's state moves on. `bytesLost` is called when the next bytes of a
   * stream are gone, and ends it.
   */
  constructor(
    private readonly capacity: SendCapacity,
    private readonly finSent: (stream: StreamCore) => void,
    private readonly bytesLost: (stream: StreamCore) => void
  ) {}

  /** RSTs that wait. */
  get pendingResets(): number {
    return this.resets.size
  }

  /** Whether `take` would give something. */
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

  /** A stream is over: its bytes are dropped. */
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

  /** The increment that waits for an id is of no use any more. */
  cancelIncrement(id: number): void {
    this.increments.delete(id)
  }

  /** GOAWAY is due: at once, or behind everything that streams have to send. */
  setGoAway(frame: GoAway, when: "Now" | "Last"): void {
    this.goAway = frame
    this.goAwayWaits = when === "Last"
  }

  /** Nothing but a GOAWAY is sent any more. */
  abandon(): void {
    this.capacity.releaseAll()
    this.resets.clear()
    this.increments.clear()
    this.heartbeats.clear()
    this.interactive.clear()
    this.waiting.clear()
  }

  /** Takes the frames that are due: control, then about `budget` bytes of streams. */
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
    // Go takes 8 bytes too many when it reads a GOAWAY; this is what it may have
    frames.push(this.goAway, goAwayFiller)
    this.goAway = undefined
  }

  /** One stream's turn; gives the bytes it took. */
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
    // or one that writes again whenever its bytes are gone would always go first
    else if (!alone) stream.priorityRegainedAt = this.given.value + taken * (this.interactive.size + this.waiting.size)
    this.interactiveBytes = isFresh ? this.interactiveBytes + taken : 0
    return taken
  }

  /** The next frame of a stream that has output; gives the bytes it takes on the wire. */
  private takeFrame(stream: StreamCore, longest: number, frames: Array<Frame>): number {
    if (stream.synDue) {
      stream.synDue = false
      const payload = this.takeSynPayload(stream)
      // never FIN on SYN: Go's acceptor could not answer
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

  /** The type, whole, and the first bytes if they are few. */
  private takeSynPayload(stream: StreamCore): Uint8Array {
    const payload = stream.outbound.length <= SYN_PAYLOAD ? stream.outbound.take() : undefined
    if (payload !== undefined) this.capacity.sent(payload.length)
    const { type } = stream
    if (type === undefined) return payload ?? new Uint8Array(0)
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
