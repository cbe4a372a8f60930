/** The frames that the session under attack has sent: counted, not kept. */
import { DATA, FIN, GOAWAY, RST, WNDINC } from "./bytes.js"

const HEADER = 8

/** More of a payload than this is not looked at. */
const KEPT = 1024

interface Answer {
  readonly bytes: number
  /** Of the bytes, in order. */
  readonly sum: number
  /** The last four of them, in the last frame. */
  readonly last: number
  readonly finished: boolean
}

const NO_ANSWER: Answer = { bytes: 0, sum: 0, last: 0, finished: false }

/** What `Answer.sum` is of some bytes, or of more of them. */
export const sumOf = (bytes: Uint8Array, sum = 0): number =>
  bytes.reduce((before, byte) => (Math.imul(before, 31) + byte + 1) | 0, sum)

export class Seen {
  frames = 0
  /** Frames with payload. */
  dataFrames = 0
  dataBytes = 0
  readonly resets = new Map<number, number>()
  readonly granted = new Map<number, number>()
  goAway: { readonly code: number; readonly detail: string } | undefined = undefined
  /** The medium has ended. */
  ended = false

  private readonly answers = new Map<number, Answer>()
  private readonly watchers = new Set<() => void>()
  private readonly header = new Uint8Array(HEADER)
  private headerLength = 0
  private payload = new Uint8Array(0)
  private payloadLength = 0
  private remaining = 0

  answer(id: number): Answer {
    return this.answers.get(id) ?? NO_ANSWER
  }

  /** How many RSTs carried each code. */
  get resetsByCode(): Record<number, number> {
    const counts: Record<number, number> = {}
    for (const code of this.resets.values()) counts[code] = (counts[code] ?? 0) + 1
    return counts
  }

  get isOver(): boolean {
    return this.ended || this.goAway !== undefined
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  end(): void {
    this.ended = true
    this.wake()
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      if (this.remaining > 0) at += this.takePayload(chunk.subarray(at))
      else {
        const taken = chunk.subarray(at, at + HEADER - this.headerLength)
        this.header.set(taken, this.headerLength)
        this.headerLength += taken.length
        at += taken.length
        if (this.headerLength === HEADER) this.begin()
      }
    }
    this.wake()
  }

  private begin(): void {
    this.headerLength = 0
    this.remaining = this.word(this.header, 0) >>> 8
    this.payload = new Uint8Array(Math.min(KEPT, this.remaining))
    this.payloadLength = 0
    if (this.remaining === 0) this.complete(new Uint8Array(0))
  }

  private takePayload(rest: Uint8Array): number {
    const piece = rest.subarray(0, this.remaining)
    this.remaining -= piece.length
    const kept = piece.subarray(0, this.payload.length - this.payloadLength)
    this.payload.set(kept, this.payloadLength)
    this.payloadLength += kept.length
    this.complete(piece)
    return piece.length
  }

  /** A frame is complete, or another piece of DATA has come. */
  private complete(piece: Uint8Array): void {
    const type = (this.header[3] ?? 0) >> 4
    const id = this.word(this.header, 4)
    if (type === DATA) this.data(id, piece)
    if (this.remaining > 0) return
    this.frames++
    if (type === RST) this.resets.set(id, this.word(this.payload, 0))
    if (type === WNDINC) this.granted.set(id, (this.granted.get(id) ?? 0) + this.word(this.payload, 0))
    if (type === GOAWAY) {
      const goAway = { code: this.word(this.payload, 4), detail: Buffer.from(this.payload.subarray(8)).toString() }
      // the announcement of a drain ends nothing
      if (goAway.code !== 0 || goAway.detail !== "draining") this.goAway ??= goAway
    }
  }

  private data(id: number, piece: Uint8Array): void {
    const { bytes, finished, sum } = this.answer(id)
    const ends = this.remaining === 0 && ((this.header[3] ?? 0) & FIN) !== 0
    this.answers.set(id, {
      bytes: bytes + piece.length,
      sum: sumOf(piece, sum),
      last: this.word(piece, piece.length - 4),
      finished: finished || ends
    })
    this.dataBytes += piece.length
    if (this.remaining === 0 && this.payload.length > 0) this.dataFrames++
  }

  private word(bytes: Uint8Array, at: number): number {
    return at < 0 || bytes.length < at + 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(at)
  }

  private wake(): void {
    for (const watcher of this.watchers) watcher()
  }
}
