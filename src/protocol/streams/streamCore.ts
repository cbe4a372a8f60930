/**
 * One stream as the core sees it. Synchronous and total.
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

/** From what the two directions of a stream start, in bytes: what this side receives, and what the peer does. */
interface Windows {
  readonly window: number
  readonly peerWindow: number
}

/**
 * The user of a stream: the handle that the services gave to the application. The core keeps it for them and calls nothing
 * of it.
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
 * Everything the core knows of a stream. Only the modules of `src/protocol/` change it; the services hold it as a key,
 * and read `id`, `type`, `initiator` and `failure`.
 *
 * @since 0.1.0
 * @category models
 */
export class StreamCore implements Linked<StreamCore> {
  private wireState: StreamState = "Open"
  /** Its handle, until it has left the table. */
  user: StreamUser | undefined = undefined
  /** Why it failed, once it has. */
  failure: StreamFailure | undefined = undefined

  // --- sending

  readonly outbound = new ByteQueue()
  readonly sendWindow: SendWindow
  /** The SYN is still to be sent (only ever true for streams of this side). */
  synDue: boolean
  /**
   * What this side's writer does. `Blocked`: a write was not taken whole, and a `Writable` event is due. `Finishing`: there
   * are no more writes, and a FIN follows the last byte.
   */
  writing: "Ready" | "Blocked" | "Finishing" = "Ready"
  /** The last write was taken, at least in part. */
  gotRoom = false
  /** What all streams together must have been given before it counts as fresh again, in bytes; no small integer. */
  priorityRegainedAt = -Infinity
  queue: LinkedQueue<StreamCore> | undefined = undefined
  next: StreamCore | undefined = undefined
  previous: StreamCore | undefined = undefined
  /** A small remainder of credit may be used now: it has waited long enough for more. */
  acceptsSmallCredit = false

  // --- receiving

  readonly inbound = new ByteQueue()
  readonly receiveWindow: ReceiveWindow
  /** How fast it is consumed, once that was enough to be granted credit. */
  growth: WindowGrowth | undefined = undefined
  /** The peer has sent something that belongs to it: it knows of the stream, whatever it says later. */
  answered = false
  /**
   * What this side's reader does. `Waiting`: a read found nothing, and a `Readable` event is due. `Stopped`: it reads no
   * more, and what arrives is dropped.
   */
  reading: "Ready" | "Waiting" | "Stopped" = "Ready"
  /**
   * How the inbound bytes end, as far as is known. `Cut`: bytes that had arrived were dropped, so a FIN is not the true end.
   * A reset that comes after the FIN changes `state`, and not this.
   */
  inboundEnd: "Open" | "Fin" | "Cut" = "Open"

  /** The 32-bit stream type; `undefined` on untyped sessions, and until it has arrived. */
  type: number | undefined
  /**
   * Whether the application can know of it. Streams of this side are `Shown` at once, those of the peer when their type is
   * known; heartbeats stay `Hidden`. `InBacklog`: it waits to be accepted.
   */
  exposure: "Hidden" | "InBacklog" | "Shown"
  /** How many of the 4 bytes of the type have arrived, and the number so far. */
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

  /** Moves to the next state. A move that the wire does not allow is a bug of this library: it throws. */
  move(transition: Transition): void {
    const state = next(this.wireState, transition)
    if (state === undefined)
      throw new Error(`${transition} is not allowed on stream ${this.id}, which is ${this.wireState}`)
    this.wireState = state
  }

  /** The stream has failed. Nothing waits on it any more. */
  fail(failure: StreamFailure): void {
    this.failure = failure
    if (this.reading === "Waiting") this.reading = "Ready"
  }

  /** Whether the application knows of it, or is about to. */
  get isShown(): boolean {
    return this.exposure !== "Hidden"
  }

  /** Heartbeat streams belong to the session itself: they are never shown, and count nowhere. */
  get isHeartbeat(): boolean {
    return this.type === HEARTBEAT_TYPE
  }

  /** Whether frames of it wait to be sent. */
  get hasOutput(): boolean {
    return this.synDue || this.outbound.length > 0 || this.finDue
  }

  /** Whether a FIN is to be sent, now or behind the bytes that wait. */
  get finDue(): boolean {
    return this.writing === "Finishing" && (this.state === "Open" || this.state === "HalfClosedRemote")
  }

  /** Whether the peer has ended its direction, and every byte that it sent is there or was read. */
  get endsCleanly(): boolean {
    return this.inboundEnd === "Fin"
  }
}
