/** One core and a peer made of bytes: what the peer says comes in as the wire has it, what the core says is watched. */
import { assert } from "@effect/vitest"
import { Connection } from "../../../src/protocol/connection.js"
import type { Event } from "../../../src/protocol/events.js"
import { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import { Decoder } from "../../../src/protocol/wire/decoder.js"
import { encode } from "../../../src/protocol/wire/encoder.js"
import type { Frame } from "../../../src/protocol/wire/frame.js"
import { fromHex } from "../bytes.js"
import type { Overrides } from "./options.js"
import { connectionOptions } from "./options.js"
import { bytesOf, showEvent, showFrame, showRead, showWrite } from "./text.js"
import { WireRules } from "./wireRules.js"

export class Scripted {
  now = 0
  readonly connection: Connection
  /** Every stream that the peer opened and that was shown. */
  readonly opened = new Map<number, StreamCore>()

  private readonly decoder = new Decoder()
  private readonly rules: WireRules
  private pending: Array<Event> = []

  constructor(role: "client" | "server", overrides: Overrides = {}) {
    this.connection = new Connection(connectionOptions(role, overrides), this.now)
    this.rules = new WireRules(role)
  }

  // --- the peer

  /** The peer sends frames. */
  receive(...frames: ReadonlyArray<Frame>): this {
    for (const chunk of encode(frames)) this.push(chunk)
    return this
  }

  /** The peer sends bytes, written in hexadecimal. */
  hex(text: string): this {
    return this.push(fromHex(text))
  }

  push(bytes: Uint8Array): this {
    const frames = this.decoder.push(bytes)
    this.connection.heard(this.decoder.midFrame, this.now)
    for (const frame of frames) this.connection.receive(frame)
    return this
  }

  // --- what comes of it

  /** The frames that are due now. */
  frames(budget = Infinity): ReadonlyArray<Frame> {
    const frames = this.connection.takeFrames(budget, this.now)
    this.rules.watch(frames)
    this.connection.written()
    return frames
  }

  /** The frames that are due now, as lines. */
  sent(budget = Infinity): ReadonlyArray<string> {
    return this.frames(budget).map(showFrame)
  }

  /** The events since the last call, as lines. */
  events(): ReadonlyArray<string> {
    this.collect()
    const events = this.pending
    this.pending = []
    return events.map(showEvent)
  }

  /** A stream that the peer opened. */
  stream(id: number): StreamCore {
    this.collect()
    const stream = this.opened.get(id)
    assert(stream !== undefined, `stream ${id} was shown`)
    return stream
  }

  // --- the application

  open(type?: number): StreamCore {
    const stream = this.connection.open(type)
    assert(stream instanceof StreamCore, "the stream opens")
    return stream
  }

  write(stream: StreamCore, bytes: string | number): string {
    const payload = typeof bytes === "string" ? bytesOf(bytes) : new Uint8Array(bytes)
    return showWrite(this.connection.write(stream, payload))
  }

  read(stream: StreamCore): string {
    return showRead(this.connection.read(stream))
  }

  /** Reads what is there, and gives how many bytes that were and the outcome behind them. */
  readAll(stream: StreamCore): { readonly length: number; readonly then: string } {
    for (let length = 0; ;) {
      const result = this.connection.read(stream)
      if (result._tag !== "Bytes") return { length, then: showRead(result) }
      length += result.bytes.length
    }
  }

  /** Lets time pass at once, and calls the core. */
  tick(milliseconds: number, nonce = 1): this {
    this.now += milliseconds
    this.connection.tick(this.now, nonce)
    return this
  }

  private collect(): void {
    for (const event of this.connection.takeEvents()) {
      this.pending.push(event)
      if (event._tag === "Opened") this.opened.set(event.stream.id, event.stream)
    }
  }
}

/** The numbers that must be 0 once nothing is going on. */
export const assertAtRest = (connection: Pick<Connection, "stats">): void => {
  const { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } = connection.stats()
  assert.deepStrictEqual(
    { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes, tableSize },
    { backlog: 0, bufferedBytes: 0, inboundStreams: 0, outboundStreams: 0, queuedBytes: 0, tableSize: 0 }
  )
}
