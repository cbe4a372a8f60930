/**
 * Two cores, one virtual clock, and a link that carries bytes in whatever pieces the test asks for. Everything that
 * goes over it is encoded, cut and decoded as on a real wire, and watched on the way.
 */
import { assert } from "@effect/vitest"
import { Connection } from "../../../src/protocol/connection.js"
import { Decoder } from "../../../src/protocol/wire/decoder.js"
import { encode, encodedLength } from "../../../src/protocol/wire/encoder.js"
import type { Event } from "../../../src/protocol/events.js"
import type { Frame } from "../../../src/protocol/wire/frame.js"
import { HEADER_LENGTH } from "../../../src/protocol/wire/frame.js"
import { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import type { Overrides } from "./options.js"
import { connectionOptions } from "./options.js"
import { WireRules } from "./wireRules.js"

/** A frame on its way: where its bytes begin and end, counted from the first byte of the session. */
interface Flying {
  readonly frame: Frame
  readonly start: number
  readonly end: number
}

/** One direction. */
export class Link {
  /** Bytes that have been put in and taken out since the beginning. */
  entered = 0
  left = 0
  private readonly chunks: Array<Uint8Array> = []
  private flying: Array<Flying> = []

  put(frames: ReadonlyArray<Frame>): void {
    for (const frame of frames) {
      const start = this.entered
      this.entered += encodedLength(frame)
      this.flying.push({ frame, start, end: this.entered })
    }
    this.chunks.push(...encode(frames))
  }

  get length(): number {
    return this.entered - this.left
  }

  /** Takes at most `max` bytes as one chunk. */
  take(max: number): Uint8Array {
    const parts: Array<Uint8Array> = []
    let size = 0
    for (let first = this.chunks[0]; first !== undefined && size < max; first = this.chunks[0]) {
      const part = first.subarray(0, max - size)
      parts.push(part)
      size += part.length
      if (part.length === first.length) this.chunks.shift()
      else this.chunks[0] = first.subarray(part.length)
    }
    this.left += size
    this.flying = this.flying.filter((flying) => flying.end > this.left)
    return Buffer.concat(parts)
  }

  /** Payload bytes of a stream that have not arrived. */
  payloadInFlight(id: number): number {
    let sum = 0
    for (const { end, frame, start } of this.flying) {
      if (frame._tag === "Data" && frame.streamId === id) {
        sum += end - Math.max(start + HEADER_LENGTH, this.left)
      }
    }
    return sum
  }

  /** Of these, the bytes whose header has arrived. */
  payloadAnnounced(id: number): number {
    const [first] = this.flying
    if (first?.frame._tag !== "Data" || first.frame.streamId !== id) return 0
    return first.start + HEADER_LENGTH <= this.left ? first.end - this.left : 0
  }

  /** Whether a SYN has arrived whose type has not. */
  get withinType(): boolean {
    const [first] = this.flying
    if (first?.frame._tag !== "Data" || !first.frame.syn) return false
    return this.left >= first.start + HEADER_LENGTH && this.left < first.start + HEADER_LENGTH + 4
  }

  /** Credit for a stream that has not arrived. */
  creditInFlight(id: number): number {
    let sum = 0
    for (const { frame } of this.flying) {
      if (frame._tag === "WindowIncrement" && frame.streamId === id) sum += frame.increment
    }
    return sum
  }
}

/** One side: its core, and what it is sent. */
export class End {
  readonly connection: Connection
  readonly inbound = new Link()
  /** Every frame that this side has sent. */
  readonly sent: Array<Frame> = []
  private readonly decoder = new Decoder()
  private readonly rules: WireRules

  constructor(
    readonly role: "client" | "server",
    overrides: Overrides,
    private readonly clock: { now: number }
  ) {
    this.connection = new Connection(connectionOptions(role, overrides), clock.now)
    this.rules = new WireRules(role)
  }

  /** Puts what is due on the wire. */
  send(to: Link, budget: number): ReadonlyArray<Frame> {
    const frames = this.connection.takeFrames(budget, this.clock.now)
    if (frames.length === 0) return frames
    this.rules.watch(frames)
    this.connection.written()
    this.sent.push(...frames)
    to.put(frames)
    return frames
  }

  /** Takes at most `max` bytes off the wire, as one chunk. */
  deliver(max: number): void {
    if (this.inbound.length === 0 || max <= 0) return
    const frames = this.decoder.push(this.inbound.take(max))
    this.connection.heard(this.decoder.midFrame, this.clock.now)
    for (const frame of frames) this.connection.receive(frame)
  }

  open(type?: number): StreamCore {
    const stream = this.connection.open(type)
    assert(stream instanceof StreamCore, "the stream opens")
    return stream
  }
}

export class Pair {
  readonly clock = { now: 0 }
  readonly client: End
  readonly server: End

  constructor(client: Overrides = {}, server: Overrides = client) {
    this.client = new End("client", client, this.clock)
    this.server = new End("server", server, this.clock)
  }

  peerOf(end: End): End {
    return end === this.client ? this.server : this.client
  }

  /** Moves everything both ways until nothing is left to send; time stands still. */
  settle(onEvent: (end: End, event: Event) => void = () => undefined): void {
    for (let moved = true; moved;) {
      moved = false
      for (const end of [this.client, this.server]) {
        for (const event of end.connection.takeEvents()) {
          moved = true
          onEvent(end, event)
        }
        if (end.connection.hasFrames) moved = end.send(this.peerOf(end).inbound, 131_072).length > 0 || moved
        if (end.inbound.length > 0) {
          moved = true
          end.deliver(Infinity)
        }
      }
    }
  }

  /** Lets time pass until the next deadline of either side, if one comes within `limit`; false when none does. */
  toNextDeadline(limit: number): boolean {
    const next = Math.min(this.client.connection.nextDeadline(), this.server.connection.nextDeadline())
    if (next > this.clock.now + limit) return false
    this.clock.now = Math.max(this.clock.now, next)
    for (const end of [this.client, this.server]) end.connection.tick(this.clock.now, 1)
    return true
  }
}
