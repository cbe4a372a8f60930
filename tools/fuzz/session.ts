/** One session under the fuzzer: its core, a peer of bytes, and the rules that must hold between the steps. */
import { Connection } from "../../src/protocol/connection.js"
import { Decoder } from "../../src/protocol/wire/decoder.js"
import type { Frame, InboundFrame } from "../../src/protocol/wire/frame.js"
import type { ConnectionOptions } from "../../src/protocol/options.js"
import { showFrame } from "../../test/support/protocol/text.js"
import { Application } from "./application.js"
import { must } from "./broken.js"
import type { Setting } from "./case.js"
import { optionsOf } from "./settings.js"
import { SentRules } from "./sentRules.js"

/** Bytes of one write, as many as the services ask for. */
const BATCH = 128 * 1024

/** Echoes that may wait to be sent, and our own heartbeats are less. */
const HEARTBEAT_BYTES = 1024

/**
 * What is logged: a line, and details that may differ with the cut of the peer's bytes.
 */
export type Listener = (line: string, detail: string, session: FuzzedSession) => void

/** Every batch of frames that is sent. */
export type OnSent = (frames: ReadonlyArray<Frame>, session: FuzzedSession) => void

export class FuzzedSession {
  now = 0
  readonly options: ConnectionOptions
  readonly connection: Connection
  readonly app: Application
  readonly rules: SentRules
  /** Everything that the peer said, and the frames that the decoder made of it. */
  readonly heard: Array<Uint8Array> = []
  readonly decoded: Array<InboundFrame> = []

  private readonly decoder = new Decoder()

  constructor(
    readonly setting: Setting,
    private readonly listener: Listener,
    private readonly onSent: OnSent
  ) {
    this.options = optionsOf(setting)
    this.connection = new Connection(this.options, this.now)
    this.rules = new SentRules(this.options)
    this.app = new Application(this.connection, setting, (line, detail = "") => this.log(line, detail))
  }

  log(line: string, detail = ""): void {
    this.listener(line, detail, this)
  }

  /** One chunk of the peer's. */
  hear(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.heard.push(chunk)
    const frames = this.decoder.push(chunk)
    this.connection.heard(this.decoder.midFrame, this.now)
    for (const frame of frames) {
      this.decoded.push(frame)
      this.rules.heard(frame)
      this.connection.receive(frame)
    }
  }

  take(budget: number): void {
    if (budget <= 0) return
    const { hasFrames } = this.connection
    const frames = this.connection.takeFrames(budget, this.now)
    must(hasFrames || frames.length === 0, () => "frames although there were none")
    if (frames.length === 0) return
    for (const frame of frames) {
      if (frame._tag === "WindowIncrement") this.log("WNDINC", showFrame(frame))
      else if (frame._tag === "Data") this.log(`${frame.syn ? "SYN" : frame.fin ? "FIN" : "DATA"} ${frame.streamId}`)
      else this.log(showFrame(frame))
    }
    this.rules.watch(frames)
    this.onSent(frames, this)
  }

  /** The events, the frames if the transport takes them by itself, and what holds at all times. */
  settle(): void {
    this.app.settle()
    for (let turn = 0; this.setting.output === "auto" && this.connection.hasFrames; turn++) {
      must(turn < 10_000, () => "the frames never end")
      this.take(BATCH)
      this.connection.written()
      this.app.settle()
    }
    this.check()
  }

  tick(milliseconds: number): void {
    this.now += milliseconds
    for (let turn = 0; turn === 0 || this.connection.nextDeadline() <= this.now; turn++) {
      must(turn < 3, () => `at ${this.now} a deadline of ${this.connection.nextDeadline()} stays`)
      this.connection.tick(this.now, (this.now * 2_654_435_761) >>> 0)
    }
  }

  /** What must hold between two steps, whatever has happened. */
  check(): void {
    const { connection, options } = this
    const stats = connection.stats(this.now)
    const least = Math.min(
      stats.backlog,
      stats.bufferedBytes,
      stats.heldBytes,
      stats.inboundStreams,
      stats.outboundStreams,
      stats.queuedBytes
    )
    must(least >= 0, () => `a counter is ${least}: ${JSON.stringify(stats)}`)
    const most = (name: string, value: number, limit: number) =>
      must(value <= limit, () => `${name}: ${value} > ${limit}`)
    most("held", stats.heldBytes, options.maxReceiveBuffer)
    most("buffered", stats.bufferedBytes, stats.heldBytes)
    most("queued", stats.queuedBytes, options.maxSendBuffer + HEARTBEAT_BYTES + options.peerWindow)
    most("inbound", stats.inboundStreams, options.maxInboundStreams)
    most("outbound", stats.outboundStreams, options.maxOutboundStreams)
    most("backlog", stats.backlog, options.acceptBacklog)
    most("gaps", stats.idGaps, options.maxIdGaps)
    most("table", stats.tableSize, stats.inboundStreams + stats.outboundStreams + 2)
    if (connection.end === undefined) {
      most("resets", stats.charged.resets, options.resetBudget.burst)
      most("refusals", stats.charged.refusals, options.refusalBudget.burst)
      most("useless frames", stats.charged.uselessFrames, options.uselessFrameBudget.burst)
      most("increments", stats.charged.increments, options.spareIncrements)
    } else {
      const { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } = stats
      const left = backlog + bufferedBytes + inboundStreams + outboundStreams + queuedBytes + tableSize
      must(left === 0, () => `after the end something is left: ${JSON.stringify(stats)}`)
      must(connection.nextDeadline() === Infinity, () => "a deadline after the end")
      must(this.app.ended, () => "nobody was told of the end")
    }
    must(!Number.isNaN(connection.nextDeadline()), () => "the deadline is no number")
    this.checkStreams(stats.heldBytes, stats.queuedBytes)
  }

  private checkStreams(held: number, queued: number): void {
    let known = 0
    let waiting = 0
    for (const { core, over, readBlocked } of this.app.streams) {
      const { id, inbound, outbound, receiveWindow, sendWindow } = core
      known += inbound.length
      waiting += outbound.length
      must(over || core.failure === undefined || this.connection.end === undefined, () => `nobody was told: ${id}`)
      must(sendWindow.credit >= 0, () => `credit of stream ${id}: ${sendWindow.credit}`)
      must(receiveWindow.available >= 0, () => `window of stream ${id}: ${receiveWindow.available}`)
      if (over) continue
      const mine = receiveWindow.available + inbound.length + receiveWindow.consumed
      must(mine <= receiveWindow.size, () => `stream ${id} has ${mine} of a window of ${receiveWindow.size}`)
      const missed = readBlocked && (inbound.length > 0 || core.inboundEnd === "Fin")
      must(!missed, () => `the reader of stream ${id} waits for what has come`)
    }
    const heartbeats = this.options.typed ? this.options.window : 0
    must(known <= held && held <= known + heartbeats, () => `${held} bytes held, and ${known} in the streams`)
    // what was to be flushed when the session ended stays with whoever holds the stream
    must(
      this.connection.end !== undefined || waiting <= queued,
      () => `${queued} bytes queued, and ${waiting} in the streams`
    )
  }
}
