/** A small application whose behaviour depends only on its setting and on the steps of the case. */
import type { Connection } from "../../src/protocol/connection.js"
import type { Event } from "../../src/protocol/events.js"
import type { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { pattern } from "../../test/support/bytes.js"
import { showEvent } from "../../test/support/protocol/text.js"
import { must } from "./broken.js"
import type { Setting } from "./case.js"

/** What the application knows of one stream. */
export interface Known {
  readonly core: StreamCore
  readonly read: Array<Uint8Array>
  readLength: number
  /** Bytes that its writer still wants to write. */
  pending: Uint8Array | undefined
  /** The last read, or write, was refused, and no event has come since. */
  readBlocked: boolean
  sawEnd: boolean
  stopped: boolean
  over: boolean
}

export class Application {
  readonly streams: Array<Known> = []
  ended = false
  private readonly known = new Map<StreamCore, Known>()
  private idle = false

  constructor(
    private readonly connection: Connection,
    private readonly setting: Setting,
    private readonly log: (line: string, detail?: string) => void
  ) {}

  /** Hears what there is to hear, and reacts until there is nothing more. */
  settle(): void {
    for (let turn = 0; ; turn++) {
      const events = this.connection.takeEvents()
      if (events.length === 0) return
      must(turn < 10_000, () => "the events never end")
      for (const event of events) this.on(event)
    }
  }

  private on(event: Event): void {
    this.log(showEvent(event))
    must(!this.ended, () => `after the end: ${showEvent(event)}`)
    switch (event._tag) {
      case "Opened": {
        const known = this.track(event.stream)
        if (this.setting.app === "manual") return
        this.connection.accept(event.stream)
        return this.pump(known)
      }
      case "Readable": {
        const known = this.of(event.stream)
        must(
          known.readBlocked || known.over || known.stopped,
          () => `Readable, and nobody had asked: ${event.stream.id}`
        )
        known.readBlocked = false
        return this.pump(known)
      }
      case "Writable":
        return this.pump(this.of(event.stream))
      case "BytesLost":
        return must(false, () => "nothing is detached here")
      case "Finished":
      case "Failed": {
        const known = this.of(event.stream)
        must(!known.over, () => `a second end of stream ${event.stream.id}`)
        must((event.stream.failure === undefined) === (event._tag === "Finished"), () => "an end with the wrong name")
        known.over = true
        known.readBlocked = false
        return this.pump(known)
      }
      case "Idle":
        must(!this.idle, () => "idle twice")
        this.idle = true
        return
      case "Ended":
        this.ended = true
        return
      case "OpenAvailable":
      case "Pong":
      case "PingLost":
      case "GoneAway":
        return
    }
  }

  track(core: StreamCore): Known {
    must(!this.known.has(core), () => `stream ${core.id} is new twice`)
    const known: Known = {
      core,
      read: [],
      readLength: 0,
      pending: undefined,
      readBlocked: false,
      sawEnd: false,
      stopped: false,
      over: false
    }
    this.known.set(core, known)
    this.streams.push(known)
    return known
  }

  private of(core: StreamCore): Known {
    const known = this.known.get(core)
    if (known === undefined) throw new Error(`an event for a stream that was never shown: ${core.id}`)
    return known
  }

  /** Does what the mood says, as far as it goes. */
  private pump(known: Known): void {
    if (this.setting.app === "manual") return
    if (known.pending !== undefined && !this.write(known, known.pending)) return
    while (known.pending === undefined && !known.readBlocked && !known.sawEnd && !known.stopped) {
      const bytes = this.read(known)
      if (bytes === undefined) break
      if (this.setting.app === "echo") this.write(known, bytes)
    }
    if (known.sawEnd && known.pending === undefined) this.connection.finish(known.core)
  }

  // --- what the steps say, too

  open(type: number | undefined): void {
    const result = this.connection.open(type)
    if ("_tag" in result) return this.log(`open: ${result._tag}`)
    this.log(`open: ${result.id}`)
    this.track(result)
  }

  /** Reads once: the bytes, if there were any. */
  read(known: Known): Uint8Array | undefined {
    const { id } = known.core
    const result = this.connection.read(known.core)
    switch (result._tag) {
      case "Bytes":
        must(result.bytes.length > 0, () => `a read of no bytes: ${id}`)
        must(!known.sawEnd && !known.stopped, () => `bytes after the end of reading: ${id}`)
        known.readLength += result.bytes.length
        known.read.push(result.bytes)
        return result.bytes
      case "Blocked":
        must(!known.over, () => `a reader of a stream that is over waits: ${id}`)
        known.readBlocked = true
        return undefined
      case "End":
        if (!known.sawEnd) this.log(`read ${id}: End`, `after ${known.readLength}`)
        known.sawEnd = true
        return undefined
      case "Stopped":
        must(known.stopped, () => `nobody has stopped reading: ${id}`)
        return undefined
      case "Failed":
        must(!known.sawEnd, () => `a failure after the end: ${id}`)
        this.log(`read ${id}: Failed`, `after ${known.readLength}`)
        known.stopped = true
        return undefined
    }
  }

  /** Writes what it can; whether that was all. */
  write(known: Known, bytes: Uint8Array): boolean {
    const room = this.connection.writable(known.core)
    const result = this.connection.write(known.core, bytes)
    if (typeof result !== "number") {
      known.pending = undefined
      this.log(`write ${known.core.id}: ${result._tag}`)
      return true
    }
    must(result >= 0 && result <= Math.min(room, bytes.length), () => `${result} bytes taken, with room for ${room}`)
    known.pending = result < bytes.length ? bytes.subarray(result) : undefined
    this.log(`write ${known.core.id}`, `${result}`)
    return known.pending === undefined
  }

  writePattern(known: Known, length: number): void {
    if (known.pending === undefined) this.write(known, pattern(length, known.core.id))
  }

  withdraw(known: Known, length: number): void {
    const least = Math.min(length, known.core.outbound.length)
    if (least > 0) this.log(`withdraw: ${this.connection.withdraw(known.core, least)}`)
  }

  stop(known: Known): void {
    this.connection.stopReading(known.core)
    known.stopped = true
    known.readBlocked = false
  }

  /** Takes and reads everything that is left. */
  readAll(): void {
    for (const known of this.streams) {
      this.connection.accept(known.core)
      while (!known.stopped && this.read(known) !== undefined);
    }
  }
}
