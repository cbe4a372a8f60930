/** The rules for the frames that a session sends, at any time. */
import type { Frame } from "../../../src/protocol/wire/frame.js"
import { showFrame } from "../../../test/support/protocol/text.js"
import { Broken } from "../outcome.js"
import type { Ledgers } from "./ledger.js"

export class WireRules {
  private afterGoAway = false
  /** How often the application has gone, less the GOAWAYs that said so. */
  private goings = 0
  private lastTaken: number | undefined

  constructor(
    private readonly parity: number,
    private readonly peerWindow: number,
    private readonly sent: Ledgers,
    private readonly received: Ledgers
  ) {}

  /** What the first GOAWAY must say, and those after it: asked when the application goes. */
  leaving(highestArrived: number): void {
    this.lastTaken ??= highestArrived
    this.goings++
  }

  /** Checks a frame that is put on the wire, before it is taken into the ledgers. */
  watch(frame: Frame): void {
    const filler = frame._tag === "Unknown" && frame.type === 15 && frame.length === 0 && frame.streamId === 0
    if (this.afterGoAway !== filler) refuse("a GOAWAY, and nothing else, is followed by its filler", frame)
    this.afterGoAway = frame._tag === "GoAway"
    switch (frame._tag) {
      case "GoAway":
        if (--this.goings < 0) refuse("a GOAWAY only from who goes", frame)
        if (frame.lastStreamId !== this.lastTaken) refuse(`the last id must be ${this.lastTaken}`, frame)
        if (frame.debug.length > 256) refuse("a text of at most 256 bytes", frame)
        return
      case "Unknown":
        return
      case "Rst": {
        const sent = this.sent.of(frame.streamId)
        if (sent.rstSent) refuse("one RST for a stream", frame)
        this.belongs(frame.streamId, frame)
        return
      }
      case "WindowIncrement": {
        const sent = this.sent.of(frame.streamId)
        if (frame.increment <= 0) refuse("an increment above 0", frame)
        if (sent.rstSent) refuse("nothing after an RST", frame)
        this.belongs(frame.streamId, frame)
        return
      }
      case "Data":
        return this.data(frame)
    }
  }

  /** The batch is complete. */
  batch(): void {
    if (this.afterGoAway) throw new Broken("the filler goes out in the same batch as its GOAWAY")
  }

  private data(frame: Extract<Frame, { _tag: "Data" }>): void {
    const { streamId } = frame
    const sent = this.sent.of(streamId)
    const length = frame.payload.length
    if (frame.syn && frame.fin) refuse("no FIN on a SYN", frame)
    if (length > 65_536 || frame.length !== length) refuse("a length of at most 64 KiB, and the true one", frame)
    if (sent.finSent || sent.rstSent) refuse("nothing after a FIN or an RST", frame)
    const begins = streamId % 2 === this.parity && !sent.synSent
    if (frame.syn !== begins) refuse("SYN on the first frame of a stream and no other", frame)
    if (!frame.syn && !frame.fin && length === 0) refuse("an empty DATA says nothing", frame)
    this.belongs(streamId, frame)
    const granted = this.peerWindow + (this.received.get(streamId)?.creditArrived ?? 0)
    if (sent.payloadSent + length > granted) refuse(`the window is overrun: ${sent.payloadSent} of ${granted}`, frame)
  }

  /** A stream exists once its SYN was sent, or has arrived. */
  private belongs(id: number, frame: Frame): void {
    const begun =
      id % 2 === this.parity
        ? this.sent.get(id)?.synSent === true || (frame._tag === "Data" && frame.syn)
        : (this.received.get(id)?.synArrived ?? 0) > 0
    if (!begun) refuse("nothing on a stream that was not opened", frame)
  }
}

const refuse = (rule: string, frame: Frame): never => {
  throw new Broken(`wire rule: ${rule}: ${showFrame(frame)}`)
}
