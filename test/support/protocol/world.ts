/**
 * A small model of two sessions: who wrote, read, finished and reset what, kept beside the real ones. Its application
 * behaves: it waits for the event whenever it was refused, so that a wake-up that is lost is work that never gets done.
 */
import { assert } from "@effect/vitest"
import type { Event } from "../../../src/protocol/events.js"
import type { Frame } from "../../../src/protocol/wire/frame.js"
import type { StreamCore } from "../../../src/protocol/streams/streamCore.js"
import type { Overrides } from "./options.js"
import type { End } from "./pair.js"
import { Pair } from "./pair.js"
import { showEvent, showRead } from "./text.js"

/** One side of one stream. */
export interface Side {
  readonly core: StreamCore
  readonly end: End
  readonly sends: Half
  readonly receives: Half
  /** The other side; undefined until it has been shown there. */
  other: Side | undefined
  accepted: boolean
  /** `Finished` or `Failed` was seen. */
  over: boolean
  stopped: boolean
  /** The bytes that its writer still waits to write. */
  pending: number
  /** Its reader waits for an event. */
  blockedReader: boolean
  sawEnd: boolean
  resetCode: number | undefined
}

/** The bytes from one side of a stream to the other. */
export interface Half {
  readonly seed: number
  /** Accepted by `write`, put on the wire, and read at the other side. */
  accepted: number
  taken: number
  read: number
  finished: boolean
  finTaken: boolean
}

interface Mind {
  readonly sides: Array<Side>
  readonly pings: Set<number>
  closing: boolean
  draining: boolean
  ended: boolean
}

/** What the application codes that the core sends of its own accord may be: closed, refused, queue full. */
const OWN_CODES = [4, 5, 9]

export class World {
  readonly pair: Pair
  private readonly minds: ReadonlyMap<End, Mind>
  private nextNonce = 0

  constructor(readonly options: Overrides & { readonly typed: boolean; readonly window: number }) {
    this.pair = new Pair(options)
    this.minds = new Map([this.pair.client, this.pair.server].map((end) => [end, newMind()]))
  }

  get ends(): ReadonlyArray<End> {
    return [this.pair.client, this.pair.server]
  }

  mind(end: End): Mind {
    const mind = this.minds.get(end)
    assert(mind !== undefined)
    return mind
  }

  // --- operations of the application

  open(end: End): void {
    const { closing, draining, ended, sides } = this.mind(end)
    const result = end.connection.open(this.options.typed ? 7 : undefined)
    if ("_tag" in result) {
      if (result._tag === "Over")
        assert.isTrue(closing || draining || ended || this.mind(this.pair.peerOf(end)) !== undefined)
      return
    }
    assert.isFalse(closing || draining || ended, "nothing is opened after the end of opening")
    const sends = newHalf(2 * result.id)
    sides.push(newSide(result, end, sends, newHalf(2 * result.id + 1)))
  }

  accept(end: End): void {
    const side = this.mind(end).sides.find((one) => !one.accepted && one.core.initiator === "Remote")
    if (side === undefined) return
    side.accepted = true
    end.connection.accept(side.core)
  }

  write(side: Side, length: number): void {
    if (side.pending > 0) return
    side.pending = length
    this.pump(side)
  }

  /** Hands on what the writer has, as far as it goes. */
  private pump(side: Side): void {
    if (side.pending === 0) return
    const { connection } = side.end
    const room = connection.writable(side.core)
    const bytes = pattern(side.sends.seed, side.sends.accepted, side.pending)
    const result = connection.write(side.core, bytes)
    if (typeof result === "number") {
      assert.isAtMost(result, room)
      side.sends.accepted += result
      side.pending -= result
      return
    }
    side.pending = 0
    if (result._tag === "Finished") assert.isTrue(side.sends.finished, "only a finished stream refuses as finished")
    else assert.isDefined(side.core.failure)
  }

  /** Takes back the last bytes, if they are still there; half of the writers then give up. */
  withdraw(side: Side, length: number): void {
    const { connection } = side.end
    if (length % 2 === 1) {
      side.pending = 0
      connection.unblockWriter(side.core)
    }
    const took = Math.min(length, side.core.outbound.length)
    if (took > 0 && connection.withdraw(side.core, took)) side.sends.accepted -= took
  }

  finish(side: Side): void {
    if (side.pending > 0) return
    if (side.core.failure === undefined) side.sends.finished = true
    side.end.connection.finish(side.core)
  }

  /** Reads once; whether there was something. */
  read(side: Side): boolean {
    const { core, end, receives } = side
    const result = end.connection.read(core)
    switch (result._tag) {
      case "Bytes":
        assert.isTrue(
          Buffer.from(pattern(receives.seed, receives.read, result.bytes.length)).equals(result.bytes),
          "what is read is what was written"
        )
        receives.read += result.bytes.length
        assert.isAtMost(receives.read, receives.taken, "no byte is read that was not sent")
        return true
      case "Blocked":
        assert.isFalse(side.over, "a stream that is over blocks nobody")
        side.blockedReader = true
        return false
      case "End":
        assert.isTrue(receives.finTaken, "no end without a FIN")
        assert.strictEqual(receives.read, receives.accepted, "no end before the last byte")
        side.sawEnd = true
        return false
      case "Stopped":
        assert.isTrue(side.stopped)
        return false
      case "Failed":
        assert.isTrue(core.failure !== undefined, showRead(result))
        return false
    }
  }

  stopReading(side: Side): void {
    side.stopped = true
    side.blockedReader = false
    side.end.connection.stopReading(side.core)
  }

  reset(side: Side, code: number): void {
    if (!side.over) side.resetCode = code
    side.end.connection.reset(side.core, code)
  }

  ping(end: End): void {
    const nonce = this.nextNonce++
    if (end.connection.ping(nonce, this.pair.clock.now)) this.mind(end).pings.add(nonce)
  }

  drain(end: End): void {
    this.mind(end).draining = true
    end.connection.drain()
  }

  close(end: End): void {
    const mind = this.mind(end)
    mind.closing ||= !mind.ended
    end.connection.close()
  }

  // --- the wire and the clock

  send(end: End, budget: number): void {
    for (const frame of end.send(this.pair.peerOf(end).inbound, budget)) this.onSent(end, frame)
  }

  tick(milliseconds: number): void {
    this.pair.clock.now += milliseconds
    for (const end of this.ends) end.connection.tick(this.pair.clock.now, this.nextNonce++)
  }

  private onSent(end: End, frame: Frame): void {
    if (frame._tag !== "Data") return
    const side = latest(this.mind(end).sides, (one) => one.core.id === frame.streamId && !one.core.synDue)
    if (side === undefined) return
    const type = frame.syn && this.options.typed ? 4 : 0
    side.sends.taken += frame.payload.length - type
    assert.isAtMost(side.sends.taken, side.sends.accepted, "no byte is sent that was not written")
    if (!frame.fin) return
    assert.isTrue(side.sends.finished, "no FIN without a finish")
    assert.strictEqual(side.sends.taken, side.sends.accepted, "the FIN is behind the last byte")
    side.sends.finTaken = true
  }

  // --- events

  /** Lets the application hear what happened, and do what it waited to do. */
  hear(): void {
    for (let heard = true; heard;) {
      heard = false
      for (const end of this.ends) {
        for (const event of end.connection.takeEvents()) {
          heard = true
          this.onEvent(end, event)
        }
      }
    }
  }

  private onEvent(end: End, event: Event): void {
    const mind = this.mind(end)
    assert.isFalse(mind.ended, `nothing happens after the end: ${showEvent(event)}`)
    switch (event._tag) {
      case "Opened":
        return this.onOpened(end, event.stream)
      case "Readable": {
        const side = this.sideOf(end, event.stream)
        assert.isTrue(side.blockedReader || side.over || side.stopped, "only who waits is told")
        side.blockedReader = false
        return
      }
      case "Writable": {
        const side = this.sideOf(end, event.stream)
        assert.isAbove(side.pending, 0, "only who waits is told")
        return this.pump(side)
      }
      case "Finished":
      case "Failed":
        return this.onOver(this.sideOf(end, event.stream), event)
      case "Pong":
      case "PingLost":
        assert.isTrue(mind.pings.delete(event.nonce), "an answer to what was asked, once")
        return
      case "Idle":
        assert.isTrue(mind.draining || mind.closing)
        assert.strictEqual(end.connection.stats().inboundStreams + end.connection.stats().outboundStreams, 0)
        return
      case "Ended":
        assert.isTrue(
          mind.closing || event.end._tag === "TransportFailed" || event.end._tag === "GoneAway",
          showEvent(event)
        )
        mind.ended = true
        return
      case "OpenAvailable":
      case "GoneAway":
        return
      case "BytesLost":
        return assert.fail("nothing is detached here")
    }
  }

  private onOpened(end: End, core: StreamCore): void {
    const opener = latest(this.mind(this.pair.peerOf(end)).sides, (one) => one.core.id === core.id)
    assert(opener !== undefined && opener.other === undefined, "a stream is shown once, and someone opened it")
    assert.isFalse(opener.core.synDue, "nothing is shown whose SYN was not sent")
    const side = newSide(core, end, opener.receives, opener.sends)
    side.other = opener
    opener.other = side
    this.mind(end).sides.push(side)
  }

  private onOver(side: Side, event: Event): void {
    assert.isFalse(side.over, `a stream ends once: ${showEvent(event)}`)
    side.over = true
    side.pending = 0
    side.blockedReader = false
    const { failure } = side.core
    assert.strictEqual(event._tag, failure === undefined ? "Finished" : "Failed")
    if (failure === undefined) return
    if (failure.processed === "no" && side.core.initiator === "Local") {
      assert.isUndefined(side.other, "what may be retried was never shown to the peer")
    }
    if (failure._tag !== "Reset") return
    if (failure.initiator === "Local") assert.oneOf(failure.code, [side.resetCode, ...OWN_CODES])
    else assert.oneOf(failure.code, [side.other?.resetCode, ...OWN_CODES], "the code is the one that was given")
  }

  private sideOf(end: End, core: StreamCore): Side {
    const side = latest(this.mind(end).sides, (one) => one.core === core)
    assert(side !== undefined, "events are about streams that the application knows")
    return side
  }
}

/** Ids of streams that never left are taken again: the latest is meant. */
const latest = (sides: ReadonlyArray<Side>, is: (side: Side) => boolean): Side | undefined => {
  for (let i = sides.length - 1; i >= 0; i--) {
    const side = sides[i]
    if (side !== undefined && is(side)) return side
  }
  return undefined
}

const newMind = (): Mind => ({ sides: [], pings: new Set(), closing: false, draining: false, ended: false })

const newHalf = (seed: number): Half => ({ seed, accepted: 0, taken: 0, read: 0, finished: false, finTaken: false })

const newSide = (core: StreamCore, end: End, sends: Half, receives: Half): Side => ({
  core,
  end,
  sends,
  receives,
  other: undefined,
  accepted: core.initiator === "Local",
  over: false,
  stopped: false,
  pending: 0,
  blockedReader: false,
  sawEnd: false,
  resetCode: undefined
})

/** Bytes that tell where in which half they belong. */
const pattern = (seed: number, from: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (from + i) * 31 + ((from + i) >>> 8) * 7 + seed * 13
  return bytes
}
