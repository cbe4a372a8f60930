/** The rules for the frames that a session sends, with any input. */
import type { Frame, InboundFrame } from "../../src/protocol/wire/frame.js"
import type { ConnectionOptions } from "../../src/protocol/options.js"
import { showFrame } from "../../test/support/protocol/text.js"
import { must } from "./broken.js"
import { isKnown } from "./known.js"

interface Stream {
  syn: boolean
  fin: boolean
  rst: boolean
  heardSyn: boolean
  /** The peer sent DATA on it before it was opened: see `known.ts`. */
  early: boolean
  /** Payload bytes sent, and what the peer has granted beyond its first window. */
  sent: number
  granted: number
  /** Payload bytes that the peer has announced, and what was granted to it. */
  announced: number
  given: number
}

export class SentRules {
  readonly goAways: Array<number> = []
  /** The peer has sent DATA on some stream before that was opened. */
  early = false
  private readonly streams = new Map<number, Stream>()
  private readonly ownParity: number
  private afterGoAway = false
  private lastTaken: number | undefined

  constructor(private readonly options: ConnectionOptions) {
    this.ownParity = options.role === "client" ? 1 : 0
  }

  heard(frame: InboundFrame): void {
    if (frame._tag === "WindowIncrement") this.of(frame.streamId).granted += frame.increment
    if (frame._tag !== "Data" || !frame.first) return
    const stream = this.of(frame.streamId)
    stream.announced += frame.length
    const begun = this.isOurs(frame.streamId) ? stream.syn : stream.heardSyn
    stream.early ||= !frame.syn && !begun
    this.early ||= stream.early
    stream.heardSyn ||= frame.syn
  }

  /** Checks the frames of one batch, in order. */
  watch(frames: ReadonlyArray<Frame>): void {
    let resets = 0
    for (const frame of frames) {
      const filler = frame._tag === "Unknown" && frame.type === 15 && frame.length === 0 && frame.streamId === 0
      rule(this.afterGoAway === filler, "a GOAWAY, and nothing else, is followed by its filler", frame)
      this.afterGoAway = frame._tag === "GoAway"
      if (frame._tag === "Rst") resets++
      this.one(frame)
    }
    must(!this.afterGoAway, () => "the filler goes out in the same batch as its GOAWAY")
    must(resets <= 4096 + this.options.maxInboundStreams, () => `${resets} RSTs waited`)
  }

  private one(frame: Frame): void {
    switch (frame._tag) {
      case "GoAway":
        this.goAways.push(frame.code)
        this.lastTaken ??= frame.lastStreamId
        rule(frame.lastStreamId === this.lastTaken, `the last id must be ${this.lastTaken}`, frame)
        return rule(frame.debug.length <= 256, "a text of at most 256 bytes", frame)
      case "Unknown":
        return
      case "Rst": {
        const stream = this.of(frame.streamId)
        rule(!stream.rst || isKnown.early(stream), "one RST for a stream", frame)
        stream.rst = true
        return
      }
      case "WindowIncrement": {
        const stream = this.of(frame.streamId)
        stream.given += frame.increment
        rule(frame.increment > 0, "an increment above 0", frame)
        rule(!stream.rst || isKnown.early(stream), "nothing after an RST", frame)
        rule(!this.isOurs(frame.streamId) || stream.syn || isKnown.early(stream), "no increment before the SYN", frame)
        return rule(stream.given <= stream.announced, `no more credit than was used: ${stream.announced}`, frame)
      }
      case "Data":
        return this.data(frame, this.of(frame.streamId))
    }
  }

  private data(frame: Extract<Frame, { _tag: "Data" }>, stream: Stream): void {
    const { length } = frame.payload
    rule(!(frame.syn && frame.fin), "no FIN on a SYN", frame)
    rule(length <= 65_536 && frame.length === length, "a length of at most 64 KiB, and the true one", frame)
    rule(!stream.fin && (!stream.rst || isKnown.early(stream)), "nothing after a FIN or an RST", frame)
    const begins = this.isOurs(frame.streamId) && !stream.syn
    rule(frame.syn === begins, "SYN on the first frame of a stream and no other", frame)
    rule(frame.syn || frame.fin || length > 0, "an empty DATA says nothing", frame)
    stream.sent += length
    const window = this.options.peerWindow + stream.granted
    rule(stream.sent <= window, `the peer's window is kept: ${stream.sent} of ${window}`, frame)
    stream.syn ||= frame.syn
    stream.fin ||= frame.fin
  }

  private isOurs(id: number): boolean {
    return id % 2 === this.ownParity
  }

  private of(id: number): Stream {
    const known = this.streams.get(id)
    if (known !== undefined) return known
    const stream = {
      syn: false,
      fin: false,
      rst: false,
      heardSyn: false,
      early: false,
      sent: 0,
      granted: 0,
      announced: 0,
      given: 0
    }
    this.streams.set(id, stream)
    return stream
  }
}

const rule = (holds: boolean, what: string, frame: Frame): void => {
  must(holds, () => `wire rule: ${what}: ${showFrame(frame)}`)
}
