/**
 * Heartbeats in both roles. This side sends its heartbeats on one stream, on which the peer sends them back. It answers
 * the peer's heartbeats on another stream.
 *
 * Wire: `docs/PROTOCOL.md`, section 6.2.
 *
 * @since 0.1.0
 */
import type { EventQueue } from "./events.js"
import { PendingHeartbeats } from "./pendingHeartbeats.js"
import type { CreditPolicy } from "./receiving/creditPolicy.js"
import type { ReceiveBuffer } from "./receiving/receiveBuffer.js"
import type { Scheduler } from "./sending/scheduler.js"
import type { SendCapacity } from "./sending/sendCapacity.js"
import type { StreamCore } from "./streams/streamCore.js"
import type { Time } from "./time.js"
import { encodeUint32, HEARTBEAT_LENGTH } from "./wire/heartbeat.js"

/** The maximum number of answer bytes that wait to be sent. */
const MAX_ECHOES = 1024

interface Owners {
  readonly time: Time
  readonly events: EventQueue
  readonly capacity: SendCapacity
  readonly scheduler: Scheduler
  readonly received: ReceiveBuffer
  readonly credit: CreditPolicy
}

/**
 * The heartbeats of one session.
 *
 * @since 0.1.0
 * @category models
 */
export class Heartbeats {
  /** The last stream of `sendProbe`, until the peer refuses it. */
  probe: StreamCore | undefined = undefined
  /** The stream of this side's heartbeats. */
  private ours: StreamCore | undefined = undefined
  /** The stream of the peer's heartbeats. The session refuses a second one. */
  private theirs: StreamCore | undefined = undefined
  private readonly pending = new PendingHeartbeats()
  /** The peer has reset our stream. So it knows heartbeats, and accepts no streams now. */
  private refused = false

  constructor(private readonly owners: Owners) {}

  /** The round trip of the last answer, in milliseconds. */
  get roundTrip(): number | undefined {
    return this.pending.roundTrip
  }

  /** The peer has answered or refused a heartbeat, so its session is typed. */
  get areKnown(): boolean {
    return this.pending.roundTrip !== undefined || this.refused
  }

  // --- heartbeats of this side

  /** The stream for the next heartbeat, if there is one. */
  get stream(): StreamCore | undefined {
    return this.ours
  }

  /** Whether one with this number waits for its answer. */
  awaits(nonce: number): boolean {
    return this.pending.has(nonce)
  }

  /** Sends a heartbeat on a stream that has credit for it. False if a heartbeat with this number is pending. */
  send(stream: StreamCore, nonce: number): boolean {
    const { capacity, scheduler, time } = this.owners
    if (!this.pending.add(nonce, time.now)) return false
    this.ours = stream
    stream.sendWindow.consume(HEARTBEAT_LENGTH)
    stream.outbound.push(encodeUint32(nonce))
    capacity.use(HEARTBEAT_LENGTH)
    scheduler.schedule(stream)
    return true
  }

  // --- heartbeats of the peer

  /** The peer has opened a stream for its heartbeats. False if it has one already. */
  begin(stream: StreamCore): boolean {
    if (this.theirs !== undefined) return false
    this.theirs = stream
    return true
  }

  /**
   * Sends as many answers as the peer's window and `MAX_ECHOES` allow. Other heartbeats stay buffered, limited by our
   * window.
   */
  echo(): void {
    const { theirs: stream } = this
    if (stream === undefined) return
    const { capacity, credit, received, scheduler, time } = this.owners
    const room = MAX_ECHOES - stream.outbound.length
    const length = Math.max(0, Math.min(stream.inbound.length, stream.sendWindow.credit, room))
    let left = length - (length % HEARTBEAT_LENGTH)
    if (left === 0) return
    credit.consumed(stream, left, time.now)
    for (let bytes = received.take(stream, left); bytes !== undefined; bytes = received.take(stream, left)) {
      left -= bytes.length
      stream.sendWindow.consume(bytes.length)
      stream.outbound.push(bytes)
      capacity.use(bytes.length)
    }
    scheduler.schedule(stream)
  }

  // --- both

  /** Bytes arrived on a heartbeat stream: answers to ours, or heartbeats of the peer. */
  arrived(stream: StreamCore, bytes: Uint8Array): void {
    const { credit, events, received, time } = this.owners
    if (stream === this.probe) return credit.consumed(stream, bytes.length, time.now)
    if (stream !== this.ours) {
      received.hold(stream, bytes, "copy")
      return this.echo()
    }
    credit.consumed(stream, bytes.length, time.now)
    for (const { nonce, roundTrip } of this.pending.receive(bytes, time.now)) {
      credit.timed(roundTrip)
      events.emit({ _tag: "Pong", nonce, roundTrip })
    }
  }

  /** A stream has left the session. */
  left(stream: StreamCore): void {
    if (stream === this.probe) this.probe = undefined
    if (stream === this.theirs) {
      this.theirs = undefined
      this.owners.received.drop(stream)
    }
    this.lose(stream)
  }

  /** A stream has failed. If it is our heartbeat stream, its pending heartbeats are lost. */
  lose(stream: StreamCore): void {
    if (stream !== this.ours) return
    this.ours = undefined
    const lost = this.pending.takeLost()
    const { failure } = stream
    if (failure === undefined) return
    this.refused ||= failure._tag === "Reset" && failure.initiator === "Remote"
    for (const nonce of lost) this.owners.events.emit({ _tag: "PingLost", nonce, streamId: stream.id, failure })
  }
}
