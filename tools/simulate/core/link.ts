/**
 * One direction between two cores: bytes that arrive at their time, in pieces of any size, and the faults of the link.
 */
import { encode, encodedLength } from "../../../src/protocol/wire/encoder.js"
import type { Frame } from "../../../src/protocol/wire/frame.js"
import { HEADER_LENGTH } from "../../../src/protocol/wire/frame.js"
import type { Random } from "../random.js"
import { Ledgers } from "./ledger.js"

/** What befalls the byte number `at`, counted from the first of the session. */
export type Fault =
  | { readonly _tag: "None" }
  /** From this byte on nothing arrives, and nobody is told. */
  | { readonly _tag: "Lost"; readonly at: number }
  /** The connection is reset behind this byte, in both directions. */
  | { readonly _tag: "Cut"; readonly at: number }
  /** The byte changes. */
  | { readonly _tag: "Corrupt"; readonly at: number; readonly mask: number }
  /** From this byte on the link stands still for so long, in milliseconds. */
  | { readonly _tag: "Stall"; readonly at: number; readonly length: number }

export interface LinkOptions {
  /** In milliseconds. */
  readonly latency: number
  readonly jitter: number
  /** Bytes that may be on the way before the writer has to wait. */
  readonly capacity: number
  readonly fault: Fault
}

interface Segment {
  readonly bytes: Uint8Array
  readonly at: number
  offset: number
}

interface Flying {
  readonly frame: Frame
  readonly start: number
  readonly end: number
}

export class Link {
  readonly ledgers = new Ledgers()
  /** Bytes that were put in and taken out. */
  entered = 0
  left = 0
  /** The highest id whose SYN has arrived. */
  highestSyn = 0
  synsArrived = 0
  /** The fault has happened. */
  struck = false
  /** When the end of the connection arrives, in order or not. */
  end: { readonly orderly: boolean; readonly at: number } | undefined

  private segments: Array<Segment> = []
  private first = 0
  private flying: Array<Flying> = []
  private firstFlying = 0
  private latest = 0

  constructor(
    private readonly options: LinkOptions,
    private readonly random: Random
  ) {}

  /** `watch` sees every frame before it counts. */
  put(frames: ReadonlyArray<Frame>, now: number, watch: (frame: Frame) => void): void {
    for (const frame of frames) {
      watch(frame)
      const start = this.entered
      this.entered += encodedLength(frame)
      this.flying.push({ frame, start, end: this.entered })
      this.sent(frame)
    }
    const { fault } = this.options
    if (fault._tag === "Stall" && !this.struck && this.entered > fault.at) {
      this.struck = true
      this.latest = Math.max(this.latest, now) + fault.length
    }
    this.latest = Math.max(this.latest, now + this.options.latency + this.random.below(this.options.jitter + 1))
    for (const bytes of encode(frames)) this.segments.push({ bytes, at: this.latest, offset: 0 })
  }

  get faultTag(): Fault["_tag"] {
    return this.options.fault._tag
  }

  /** The longest that a byte is on its way, in milliseconds, when nothing goes wrong. */
  get longest(): number {
    return this.options.latency + this.options.jitter
  }

  /** Bytes that are on the way and will arrive. */
  get length(): number {
    return Math.max(0, Math.min(this.entered, this.limit) - this.left)
  }

  get isFull(): boolean {
    return this.entered - this.left > this.options.capacity
  }

  /** The connection was reset on the way. */
  get isCut(): boolean {
    const { fault } = this.options
    return fault._tag === "Cut" && this.entered >= fault.at && this.left >= fault.at
  }

  get isLost(): boolean {
    const { fault } = this.options
    return fault._tag === "Lost" && this.entered > fault.at
  }

  /** When the next byte, or the end, arrives; `Infinity` while there is none. */
  next(): number {
    if (this.length > 0) return this.segments[this.first]?.at ?? Infinity
    return this.end === undefined || this.isLost ? Infinity : this.end.at
  }

  /** The other side has closed or dropped its end; a second end changes nothing. */
  close(orderly: boolean, now: number): void {
    this.end ??= { orderly, at: Math.max(this.latest, now + this.options.latency) }
  }

  /** Takes at most `max` of the bytes that have arrived, as one chunk. */
  take(max: number, now: number): Uint8Array | undefined {
    let wanted = Math.min(max, this.length)
    const parts: Array<Uint8Array> = []
    let size = 0
    for (let segment = this.segments[this.first]; wanted > 0 && segment !== undefined && segment.at <= now;) {
      const part = segment.bytes.subarray(segment.offset, segment.offset + wanted)
      parts.push(part)
      size += part.length
      wanted -= part.length
      segment.offset += part.length
      if (segment.offset < segment.bytes.length) break
      segment = this.segments[++this.first]
    }
    if (size === 0) return undefined
    if (this.first > 64) {
      this.segments = this.segments.slice(this.first)
      this.first = 0
    }
    const from = this.left
    this.left += size
    this.advance(from)
    const [only] = parts
    return this.corrupted(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts), from)
  }

  // ---

  /** Up to which byte anything arrives. */
  private get limit(): number {
    const { fault } = this.options
    return fault._tag === "Lost" || fault._tag === "Cut" ? fault.at : Infinity
  }

  private corrupted(bytes: Uint8Array, from: number): Uint8Array {
    const { fault } = this.options
    if (fault._tag !== "Corrupt" || fault.at < from || fault.at >= from + bytes.length) return bytes
    this.struck = true
    const copy = new Uint8Array(bytes)
    copy[fault.at - from] = (copy[fault.at - from] ?? 0) ^ fault.mask
    return copy
  }

  private sent(frame: Frame): void {
    switch (frame._tag) {
      case "Data": {
        const ledger = this.ledgers.of(frame.streamId)
        ledger.synSent ||= frame.syn
        ledger.finSent ||= frame.fin
        ledger.payloadSent += frame.payload.length
        return
      }
      case "Rst":
        this.ledgers.of(frame.streamId).rstSent = true
        return
      case "WindowIncrement":
        this.ledgers.of(frame.streamId).creditSent += frame.increment
        return
      case "GoAway":
      case "Unknown":
        return
    }
  }

  /** Moves what has arrived into the ledgers; `from` is where the last chunk had ended. */
  private advance(from: number): void {
    for (let flying = this.flying[this.firstFlying]; flying !== undefined && flying.start < this.left;) {
      const { end, frame, start } = flying
      const payload = start + HEADER_LENGTH
      if (frame._tag === "Data" && this.left >= payload) {
        const ledger = this.ledgers.of(frame.streamId)
        if (from < payload) {
          ledger.payloadAnnounced += frame.payload.length
          if (frame.syn) {
            ledger.synArrived = ++this.synsArrived
            this.highestSyn = Math.max(this.highestSyn, frame.streamId)
          }
        }
        ledger.payloadArrived += Math.min(end, this.left) - Math.max(payload, from)
        if (this.left >= end && frame.fin) ledger.finArrived = true
      }
      if (this.left < end) break
      if (frame._tag === "WindowIncrement") this.ledgers.of(frame.streamId).creditArrived += frame.increment
      if (frame._tag === "Rst") this.ledgers.of(frame.streamId).rstArrived = true
      flying = this.flying[++this.firstFlying]
    }
    if (this.firstFlying > 256) {
      this.flying = this.flying.slice(this.firstFlying)
      this.firstFlying = 0
    }
  }
}
