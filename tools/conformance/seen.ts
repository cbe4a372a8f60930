/** All frames that a target has sent, and the transcript of both sides in words. */
import type { WireFrame } from "./frames.js"
import { concat, Flag, FrameParser, FrameType, HEARTBEAT, isFin, isSyn, UINT31, wordAt } from "./frames.js"
import { bytesInWords, codeInWords, inWords } from "./words.js"

/** What a target has sent on one stream. */
export class StreamSeen {
  readonly chunks: Array<Uint8Array> = []
  length = 0
  /** How many FINs. */
  fins = 0
  /** The codes of the RSTs. */
  readonly resets: Array<number> = []
  /** The sum of the increments. */
  credit = 0

  get content(): Uint8Array {
    return concat(this.chunks)
  }
}

export class Seen {
  readonly frames: Array<WireFrame> = []
  readonly goAways: Array<WireFrame> = []
  /** The streams that the target opened, in that order, heartbeats included. */
  readonly opened: Array<number> = []
  /** The connection's end, whatever it looked like. */
  closed = false

  private readonly streams = new Map<number, StreamSeen>()
  private readonly parser = new FrameParser()
  private readonly lines: Array<{ readonly text: string; count: number; bytes: number }> = []

  constructor(private readonly typed: boolean) {}

  stream(id: number): StreamSeen {
    const known = this.streams.get(id)
    if (known !== undefined) return known
    const stream = new StreamSeen()
    this.streams.set(id, stream)
    return stream
  }

  /** Takes bytes of the target. */
  take(chunk: Uint8Array): void {
    for (const frame of this.parser.push(chunk)) {
      this.frames.push(frame)
      this.note("←", inWords(frame), frame)
      this.record(frame)
    }
  }

  /** Takes bytes of the tester, which are only written down. */
  sent(bytes: Uint8Array, how = ""): void {
    for (const words of bytesInWords(bytes)) this.note("→", `${words}${how}`)
  }

  end(): void {
    this.closed = true
    const rest = this.parser.pending.length
    this.note("←", rest === 0 ? "the connection's end" : `${rest} bytes that are no whole frame, the connection's end`)
  }

  /** Whether the target's bytes, so far, are whole frames. */
  get isWhole(): boolean {
    return this.parser.pending.length === 0
  }

  /** The target's own streams without its heartbeats. */
  get openedByApplication(): ReadonlyArray<number> {
    return this.opened.filter((id) => !this.isHeartbeat(id))
  }

  /** Whether the target sends its heartbeats there. */
  isHeartbeat(id: number): boolean {
    if (!this.typed || !this.opened.includes(id)) return false
    const { content } = this.stream(id)
    return content.length >= 4 && new DataView(content.buffer).getUint32(0) === HEARTBEAT
  }

  /** What was said, in order, with runs of similar frames in one line. */
  get transcript(): ReadonlyArray<string> {
    const words = this.lines.map(({ bytes, count, text }) =>
      count === 1 ? text : `${text} … ${count} such frames${bytes > 0 ? ` (${bytes} bytes)` : ""}`
    )
    if (words.length <= SHOWN) return words
    return [...words.slice(0, 10), `… ${words.length - SHOWN} more lines`, ...words.slice(10 - SHOWN)]
  }

  /** Why nothing more can be hoped for: `undefined` while the session lives. */
  get death(): string | undefined {
    const [goAway] = this.goAways
    if (goAway !== undefined) return goAwayInWords(goAway)
    return this.closed ? "the connection's end" : undefined
  }

  private record(frame: WireFrame): void {
    if (frame.type === FrameType.GoAway) {
      this.goAways.push(frame)
      return
    }
    const stream = this.stream(frame.streamId)
    switch (frame.type) {
      case FrameType.Data:
        if (isSyn(frame)) this.opened.push(frame.streamId)
        if (isFin(frame)) stream.fins++
        if (frame.payload.length > 0) stream.chunks.push(frame.payload)
        stream.length += frame.payload.length
        return
      case FrameType.Rst:
        stream.resets.push(wordAt(frame, 0) ?? 0)
        return
      case FrameType.WindowIncrement:
        stream.credit += (wordAt(frame, 0) ?? 0) & UINT31
        return
    }
  }

  private note(arrow: string, words: string, frame?: WireFrame): void {
    const text = `${arrow} ${words}`
    const last = this.lines.at(-1)
    const bytes = frame?.type === FrameType.Data ? frame.payload.length : 0
    const plain = frame?.type === FrameType.WindowIncrement || (frame?.type === FrameType.Data && frame.flags === 0)
    if (plain && last !== undefined && kindOf(last.text) === kindOf(text) && (frame.flags & Flag.Syn) === 0) {
      last.count++
      last.bytes += bytes
      return
    }
    this.lines.push({ text, count: 1, bytes })
  }
}

/** Lines of a transcript that are shown; of longer ones, the first and the last. */
const SHOWN = 40

/** Arrow, type and stream of a line. */
const kindOf = (line: string): string => /^\S+ \S+ \d+ (?!SYN|FIN)/.exec(line)?.[0] ?? line

/** A GOAWAY without its debug bytes: some implementations put numbers there that differ from run to run. */
export const goAwayInWords = (frame: WireFrame): string => {
  const code = wordAt(frame, 4)
  return code === undefined ? `a GOAWAY of ${frame.payload.length} bytes` : `GOAWAY ${codeInWords(code)}`
}
