/**
 * Whether the peer is alive. Times are in milliseconds.
 *
 * @since 0.1.0
 */
import type { SessionEnd } from "./endReason.js"

type Dead = Extract<SessionEnd, { _tag: "Dead" }>

/**
 * Limits in milliseconds; `heartbeat` is undefined if this side sends none.
 *
 * @since 0.1.0
 * @category models
 */
export interface LivenessOptions {
  readonly heartbeat: { readonly interval: number; readonly tolerance: number } | undefined
  readonly writeTimeout: number
  readonly partialFrameTimeout: number
}

/**
 * A check that runs this much after its deadline (milliseconds, or the limit itself if that is less) proves nothing
 * about the peer: this process was stopped or busy, and has not read the bytes that arrived meanwhile. The limit
 * restarts.
 */
const LATE = 1_000

const isLate = (deadline: number, limit: number, now: number): boolean => now >= deadline + Math.min(LATE, limit)

/**
 * Any byte that arrives is proof of life. After `interval` without a byte a heartbeat is due, and after `tolerance`
 * more the peer is dead. It is also dead if it accepts no bytes for `writeTimeout`, or if no byte follows an unfinished
 * frame for `partialFrameTimeout`.
 *
 * @since 0.1.0
 * @category models
 */
export class Liveness {
  /** When the last byte arrived. */
  lastHeard: number

  /** The start of the measured silence, usually the arrival of the last byte. */
  private silentSince: number
  private midFrame = false
  /** The last start of the unfinished frame's limit. */
  private midFrameSince: number
  private probedAt: number | undefined = undefined
  private writingSince: number | undefined = undefined

  constructor(
    private readonly options: LivenessOptions,
    now: number
  ) {
    this.lastHeard = now
    this.silentSince = now
    this.midFrameSince = now
  }

  /** Bytes arrived. `midFrame` is true if they end inside a frame. */
  heard(midFrame: boolean, now: number): void {
    this.lastHeard = now
    this.silentSince = now
    this.midFrame = midFrame
    this.midFrameSince = now
    this.probedAt = undefined
  }

  /** A batch was handed to the transport. */
  writeBegan(now: number): void {
    if (this.writingSince === undefined) this.writingSince = now
  }

  /** The transport has accepted the batch. */
  writeEnded(): void {
    this.writingSince = undefined
  }

  /** Whether the transport still has to accept the last batch. */
  get isWriting(): boolean {
    return this.writingSince !== undefined
  }

  /** The due heartbeat could not be sent. Without one silence proves nothing, so its measurement restarts. */
  cannotProbe(now: number): void {
    this.probedAt = undefined
    this.silentSince = now
  }

  /** The time at which `check` must be called; `Infinity` if never. */
  next(): number {
    return Math.min(this.heartbeatDeadline(), this.writeDeadline(), this.frameDeadline())
  }

  /** Returns that the peer is alive, that a heartbeat is due now, or that the peer is dead. */
  check(now: number): "Alive" | "Probe" | Dead {
    if (now >= this.writeDeadline()) {
      const since = this.writingSince ?? now
      if (!isLate(this.writeDeadline(), this.options.writeTimeout, now)) {
        return { _tag: "Dead", reason: "WriteStalled", silentFor: now - since, since }
      }
      this.writingSince = now
    }
    if (now >= this.frameDeadline()) {
      if (!isLate(this.frameDeadline(), this.options.partialFrameTimeout, now)) return this.dead("PartialFrame", now)
      this.midFrameSince = now
    }
    if (now < this.heartbeatDeadline()) return "Alive"
    const tolerance = this.options.heartbeat?.tolerance ?? 0
    if (this.probedAt !== undefined && !isLate(this.heartbeatDeadline(), tolerance, now)) {
      return this.dead("Heartbeat", now)
    }
    this.probedAt = now
    return "Probe"
  }

  private dead(reason: "Heartbeat" | "PartialFrame", now: number): Dead {
    return { _tag: "Dead", reason, silentFor: now - this.lastHeard, since: this.lastHeard }
  }

  private heartbeatDeadline(): number {
    const heartbeat = this.options.heartbeat
    if (heartbeat === undefined) return Infinity
    return this.probedAt === undefined ? this.silentSince + heartbeat.interval : this.probedAt + heartbeat.tolerance
  }

  private writeDeadline(): number {
    return this.writingSince === undefined ? Infinity : this.writingSince + this.options.writeTimeout
  }

  private frameDeadline(): number {
    return this.midFrame ? this.midFrameSince + this.options.partialFrameTimeout : Infinity
  }
}
