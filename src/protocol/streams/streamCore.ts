/**
 * The state of one stream in the core.
 *
 * @since 0.1.0
 */
import { ByteQueue } from "../collections/byteQueue.js"
import type { Initiator, StreamFailure } from "../endReason.js"
import { HEARTBEAT_TYPE } from "../wire/heartbeat.js"
import type { WindowGrowth } from "../receiving/windowGrowth.js"
import type { StreamState, Transition } from "./streamState.js"
import { next } from "./streamState.js"
import type { Linked, LinkedQueue } from "../collections/linkedQueue.js"
import { ReceiveWindow } from "../receiving/receiveWindow.js"
import { SendWindow } from "../sending/sendWindow.js"

/**
 * The first windows of a stream, in bytes: `window` is what the peer may send, `peerWindow` what this side may send.
 */
interface Windows {
  readonly window: number
  readonly peerWindow: number
}

/**
 * The user of a stream: the handle that the services gave to the application. The core stores it for the services, and
 * never calls it.
 *
 * @since 0.1.0
 * @category models
 */
export interface StreamUser {
  readonly wakeReaders: () => void
  readonly pump: () => void
  readonly ended: () => void
}

/**
 * Everything that the core knows of a stream. Only `src/protocol/` changes it. The services use it as a key, set
 * `user`, and read `id`, `type`, `initiator` and `failure`.
 *
 * @since 0.1.0
 * @category models
 */
export class StreamCore implements Linked<StreamCore> {
  private wireState: StreamState = "Open"
  /** Its handle, until the stream has left the table. */
  user: StreamUser | undefined = undefined
  /** Why it failed; `undefined` if it has not. */
  failure: StreamFailure | undefined = undefined

  // --- sending

  readonly outbound = new ByteQueue()
  readonly sendWindow: SendWindow
  /** The SYN is not sent yet. Only streams of this side have this. */
  synDue: boolean
  /**
   * The state of this side's writer. `Blocked`: a write was not fully accepted, and a `Writable` event is due.
   * `Finishing`: there are no more writes, and a FIN follows the last byte.
   */
  writing: "Ready" | "Blocked" | "Finishing" = "Ready"
  /** At least a part of the last write was accepted. */
  gotRoom = false
  /**
   * The stream is interactive again when all streams together have sent this many bytes. Never a small integer: see
   * reason 3 of `v8.ts`.
   */
  priorityRegainedAt = -Infinity
  queue: LinkedQueue<StreamCore> | undefined = undefined
  next: StreamCore | undefined = undefined
  previous: StreamCore | undefined = undefined
  /** The writer has waited 5 ms for more credit, so it may use the few bytes that it has. */
  acceptsSmallCredit = false

  // --- receiving

  readonly inbound = new ByteQueue()
  readonly receiveWindow: ReceiveWindow
  /** Tracks how fast it is consumed, from its first increment that is not short. */
  growth: WindowGrowth | undefined = undefined
  /**
   * The peer has sent DATA or a WNDINC for this stream, so it may have processed it, even if a later GOAWAY or RST says
   * no.
   */
  answered = false
  /**
   * The state of this side's reader. `Waiting`: a read found nothing, and a `Readable` event is due. `Stopped`: there
   * are no more reads, and arriving bytes are dropped.
   */
  reading: "Ready" | "Waiting" | "Stopped" = "Ready"
  /**
   * The end of the inbound bytes. `Cut`: received bytes were dropped, so a FIN is not a clean end. A reset after the
   * FIN changes `state`, but not this.
   */
  inboundEnd: "Open" | "Fin" | "Cut" = "Open"

  /** The 32-bit stream type; `undefined` on untyped sessions, and until it has arrived. */
  type: number | undefined
  /**
   * Whether the application knows the stream. Streams of this side are `Shown` at once, those of the peer when their
   * type is known. Heartbeat streams stay `Hidden`. `InBacklog`: it waits to be accepted.
   */
  exposure: "Hidden" | "InBacklog" | "Shown"
  /** The SYN carries the type, on typed sessions. Only a probe's does not: see `pinging.ts`. */
  sendsType = true
  /** The number of type bytes that have arrived (up to 4), and their value. */
  typeLength = 0
  typeBytes = 0

  constructor(
    readonly id: number,
    readonly initiator: Initiator,
    windows: Windows,
    type: number | undefined
  ) {
    this.sendWindow = new SendWindow(windows.peerWindow)
    this.receiveWindow = new ReceiveWindow(windows.window)
    this.type = type
    this.synDue = initiator === "Local"
    this.exposure = initiator === "Local" && type !== HEARTBEAT_TYPE ? "Shown" : "Hidden"
  }

  /** Which directions are open on the wire. */
  get state(): StreamState {
    return this.wireState
  }

  /** Moves to the next state. Throws if the wire does not allow the transition, which is a bug of this library. */
  move(transition: Transition): void {
    const state = next(this.wireState, transition)
    if (state === undefined)
      throw new Error(`stream ${this.id} is ${this.wireState}, which does not allow ${transition}`)
    this.wireState = state
  }

  /** The stream has failed. Its reader no longer waits. */
  fail(failure: StreamFailure): void {
    this.failure = failure
    if (this.reading === "Waiting") this.reading = "Ready"
  }

  /** Whether the application knows the stream, or can accept it from the backlog. */
  get isShown(): boolean {
    return this.exposure !== "Hidden"
  }

  /** Heartbeat streams belong to the session: they are never shown, and count against no limit on streams. */
  get isHeartbeat(): boolean {
    return this.type === HEARTBEAT_TYPE
  }

  /** Whether the stream has frames to send. */
  get hasOutput(): boolean {
    return this.synDue || this.outbound.length > 0 || this.finDue
  }

  /** Whether a FIN must be sent, after the queued bytes. */
  get finDue(): boolean {
    return this.writing === "Finishing" && (this.state === "Open" || this.state === "HalfClosedRemote")
  }

  /** Whether the peer has sent FIN, and none of its bytes were dropped. */
  get endsCleanly(): boolean {
    return this.inboundEnd === "Fin"
  }
}
