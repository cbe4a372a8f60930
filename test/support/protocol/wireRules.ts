/** What no session may ever put on the wire, whatever happens to it. Watches every frame that a core sends. */
import { assert } from "@effect/vitest"
import type { Frame } from "../../../src/protocol/wire/frame.js"
import { showFrame } from "./text.js"

interface Sent {
  syn: boolean
  fin: boolean
  rst: boolean
}

export class WireRules {
  private readonly streams = new Map<number, Sent>()
  private afterGoAway = false
  private goAways = 0

  constructor(private readonly role: "client" | "server") {}

  /** Checks the frames of one batch, in order. */
  watch(frames: ReadonlyArray<Frame>): void {
    for (const frame of frames) {
      const text = showFrame(frame)
      if (this.afterGoAway)
        assert.strictEqual(text, "UNKNOWN type 15 stream 0 (0)", "a GOAWAY is followed by its filler")
      else assert.notStrictEqual(frame._tag, "Unknown", "no frame of an unknown type but behind a GOAWAY")
      this.afterGoAway = frame._tag === "GoAway"
      this.one(frame, text)
    }
    assert.isFalse(this.afterGoAway, "the filler goes out in the same batch as its GOAWAY")
  }

  private one(frame: Frame, text: string): void {
    switch (frame._tag) {
      case "GoAway":
        this.goAways++
        assert.isAtMost(frame.debug.length, 256, text)
        return
      case "Unknown":
        return
      case "Rst": {
        const sent = this.of(frame.streamId)
        assert.isFalse(sent.rst, `a second RST: ${text}`)
        if (this.isOurs(frame.streamId)) assert.isTrue(sent.syn, `an RST before the SYN: ${text}`)
        sent.rst = true
        return
      }
      case "WindowIncrement": {
        const sent = this.of(frame.streamId)
        assert.isAbove(frame.increment, 0, text)
        assert.isFalse(sent.rst, `a WNDINC after the RST: ${text}`)
        if (this.isOurs(frame.streamId)) assert.isTrue(sent.syn, `a WNDINC before the SYN: ${text}`)
        return
      }
      case "Data": {
        const sent = this.of(frame.streamId)
        assert.isFalse(frame.syn && frame.fin, `a FIN on a SYN: ${text}`)
        assert.isAtMost(frame.payload.length, 65_536, text)
        assert.strictEqual(frame.length, frame.payload.length, text)
        assert.isFalse(sent.rst || sent.fin, `DATA after the stream's end: ${text}`)
        const begins = this.isOurs(frame.streamId) && !sent.syn
        assert.strictEqual(frame.syn, begins, `exactly the first DATA carries SYN: ${text}`)
        if (!frame.syn && !frame.fin) assert.isAbove(frame.payload.length, 0, `an empty DATA says nothing: ${text}`)
        sent.syn ||= frame.syn
        sent.fin ||= frame.fin
      }
    }
  }

  private isOurs(id: number): boolean {
    return id % 2 === (this.role === "client" ? 1 : 0)
  }

  private of(id: number): Sent {
    const known = this.streams.get(id)
    if (known !== undefined) return known
    const sent: Sent = { syn: false, fin: false, rst: false }
    this.streams.set(id, sent)
    return sent
  }
}
