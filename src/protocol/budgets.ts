/**
 * What a peer may cost before its session is ended with EnhanceYourCalm. Synchronous and total; time comes in as `now` (milliseconds).
 *
 * What ordinary traffic brings with it is not charged, or is paid for by the streams and the bytes that it belongs to.
 *
 * Wire: `docs/PROTOCOL.md`, section 8.
 *
 * @since 0.1.0
 */
import { ByteTotal } from "./collections/v8.js"
import type { Time } from "./time.js"

/**
 * A leaky bucket: up to `burst` at once, drained at `perSecond`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rate {
  /** How many at once. */
  readonly burst: number
  /** How many a second, for as long as the session lives. */
  readonly perSecond: number
}

/**
 * The limits of a session.
 *
 * @since 0.1.0
 * @category models
 */
export interface BudgetOptions {
  /** Streams that the peer opened and reset, and RSTs that it provoked: each is work that was begun for nothing. */
  readonly resetBudget: Rate
  /** Streams of the peer that were refused for want of room. They cost an RST each, and nothing is begun for them. */
  readonly refusalBudget: Rate
  /** Frames that do nothing: empty DATA, unknown types, a second GOAWAY, what is meant for streams that are not there. */
  readonly uselessFrameBudget: Rate
  /** Increments beyond one for each stream, and for each byte that was sent, which a reader of single bytes would send. */
  readonly spareIncrements: number
}

/**
 * What the peer is charged for: see `BudgetOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type Cost = "reset" | "refusal" | "useless"

const TOO_MUCH: Readonly<Record<Cost, string>> = {
  reset: "too many streams were reset",
  refusal: "too many streams had to be refused",
  useless: "too many frames that mean nothing"
}

/** Frames that do nothing, and that each stream may still bring with it: a second FIN, an RST that crossed ours. */
const LATE_FRAMES = 4

/** A bucket that leaks: what is charged to it runs out with time. */
class Bucket {
  private level = 0
  private since: number

  constructor(
    private readonly rate: Rate,
    now: number
  ) {
    this.since = now
  }

  /** What is charged, now. */
  charged(now: number): number {
    return Math.max(0, this.at(now))
  }

  /** False when it overflows. */
  charge(now: number): boolean {
    this.level = this.at(now) + 1
    this.since = now
    return this.level <= this.rate.burst
  }

  /** Pays for so many charges in advance; no more than a burst is kept. */
  pay(charges: number): void {
    this.level = Math.max(-this.rate.burst, this.level - charges)
  }

  private at(now: number): number {
    if (this.level <= 0) return this.level
    return Math.max(0, this.level - ((now - this.since) / 1000) * this.rate.perSecond)
  }
}

/**
 * What the peer of one session has cost. When that is too much, `exceeded` is called with the reason, and the session ends
 * with EnhanceYourCalm.
 *
 * @since 0.1.0
 * @category models
 */
export class Budgets {
  private readonly buckets: Readonly<Record<Cost, Bucket>>
  private increments = 0
  private lateResets = 0
  private readonly sentBytes = new ByteTotal()
  private sentFrames = 0
  private streams = 0

  constructor(
    private readonly options: BudgetOptions,
    private readonly time: Time,
    readonly exceeded: (reason: string) => void
  ) {
    const { now } = time
    this.buckets = {
      reset: new Bucket(options.resetBudget, now),
      refusal: new Bucket(options.refusalBudget, now),
      useless: new Bucket(options.uselessFrameBudget, now)
    }
  }

  charge(cost: Cost): void {
    if (!this.buckets[cost].charge(this.time.now)) this.exceeded(TOO_MUCH[cost])
  }

  /** An increment arrived. */
  increment(): void {
    this.increments++
    if (this.increments > this.earnedIncrements + this.options.spareIncrements) {
      this.exceeded("more increments than bytes")
    }
  }

  /** An RST for a stream that is not there: Go and Rust answer each DATA frame with one that they have no use for. */
  lateReset(): void {
    if (this.lateResets >= this.sentFrames) this.charge("useless")
    else this.lateResets++
  }

  /** A DATA frame was sent, for which an RST, and for each of its bytes an increment, may come back. */
  sent(bytes: number): void {
    this.sentFrames++
    this.sentBytes.add(bytes)
  }

  /** A stream has begun, or was refused: with it may come some frames that do nothing, and a larger window. */
  streamBegan(): void {
    this.streams++
    this.buckets.useless.pay(LATE_FRAMES)
  }

  private get earnedIncrements(): number {
    return this.sentBytes.value + this.streams
  }

  /** What is charged now, and runs out with time; and the increments that were more than any reader would send. */
  charged(now: number): {
    readonly resets: number
    readonly refusals: number
    readonly uselessFrames: number
    readonly increments: number
  } {
    return {
      resets: this.buckets.reset.charged(now),
      refusals: this.buckets.refusal.charged(now),
      uselessFrames: this.buckets.useless.charged(now),
      increments: Math.max(0, this.increments - this.earnedIncrements)
    }
  }
}
