/**
 * Whether the peer is alive. Synchronous and total; time comes in as `now` (milliseconds).
 *
 * @since 0.1.0
 */
import type { SessionEnd } from "./endReason.js"

type Dead = Extract<SessionEnd, { _tag: "Dead" }>

/**
 * Limits in milliseconds; `heartbeat` is undefined when none are sent.
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
 * A check that comes so much later than it was asked for (milliseconds, or the limit itself if that is less) says
 * nothing about the peer: this process was stopped or busy, and has not yet read what arrived meanwhile. The limit
 * starts anew.
 */
const LATE = 1_000

const isLate = (deadline: number, limit: number, now: number): boolean => now >= deadline + Math.min(LATE, limit)

/**
 * Any byte that arrives is proof of life. After `interval` of silence a heartbeat is due, and after `tolerance` more
 * the peer is dead. So is one that takes no bytes, or leaves a frame unfinished, beyond the limits.
 *
 * @since 0.1.0
 * @category models
 */
export class Liveness {
  /** When the last byte arrived. */
  lastHeard: number

  /** When the silence began that is measured: mostly when the last byte arrived. */
  private silentSince: number
  private midFrame = false
  /** When the unfinished frame's limit was last started anew. */
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

  /** Bytes arrived; `midFrame` says whether they ended within a frame. */
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

  /** The transport took the batch. */
  writeEnded(): void {
    this.writingSince = undefined
  }

  /** Whether the transport has not yet taken the last batch. */
  get isWriting(): boolean {
    return this.writingSince !== undefined
  }

  /** The heartbeat that was due could not be sent: without one, silence proves nothing. */
  cannotProbe(now: number): void {
    this.probedAt = undefined
    this.silentSince = now
  }

  /** When `check` wants to be called; `Infinity` when never. */
  next(): number {
    return Math.min(this.heartbeatDeadline(), this.writeDeadline(), this.frameDeadline())
  }

  /** Says that the peer is fine, that it should be probed now, or that it is dead. */
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
