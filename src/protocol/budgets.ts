/**
 * Limits on the work that a peer may cause. If the peer exceeds one, its session ends with EnhanceYourCalm. `now` is in
 * milliseconds.
 *
 * Ordinary traffic is not charged: each stream and each sent byte pays in advance for the frames that belong to it.
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
  /** The number of charges at once. */
  readonly burst: number
  /** The number of charges that drain in a second. */
  readonly perSecond: number
}

/**
 * The limits for the peer of one session.
 *
 * @since 0.1.0
 * @category models
 */
export interface BudgetOptions {
  /** Streams that the peer opened and reset, and RSTs that it caused. Each wastes work that this side has begun. */
  readonly resetBudget: Rate
  /** Streams of the peer that this side refused. Each costs one RST and no other work. */
  readonly refusalBudget: Rate
  /** Frames without effect: empty DATA, unknown types, a second GOAWAY, frames for unknown streams. */
  readonly uselessFrameBudget: Rate
  /**
   * Increments beyond one for each stream and one for each sent byte. A peer that reads single bytes sends one for each
   * byte.
   */
  readonly spareIncrements: number
}

/**
 * The kinds of charges: see `BudgetOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export type Cost = "reset" | "refusal" | "useless"

const TOO_MUCH: Readonly<Record<Cost, string>> = {
  reset: "streams were reset faster than resetBudget allows",
  refusal: "streams were refused faster than refusalBudget allows",
  useless: "frames without effect came faster than uselessFrameBudget allows"
}

/** The useless frames that each stream pays for in advance. Examples are a second FIN, and an RST that crossed ours. */
const LATE_FRAMES = 4

/** A leaky bucket: charges drain with time. */
class Bucket {
  private level = 0
  /** The time of the last charge. */
  private since = 0

  constructor(private readonly rate: Rate) {}

  /** The charges that have not drained. */
  charged(now: number): number {
    return Math.max(0, this.at(now))
  }

  /** Adds one charge. False if the bucket overflows. */
  charge(now: number): boolean {
    this.level = this.at(now) + 1
    this.since = now
    return this.level <= this.rate.burst
  }

  /** Pays for `charges` in advance. At most `burst` charges can be paid in advance. */
  pay(charges: number): void {
    this.level = Math.max(-this.rate.burst, this.level - charges)
  }

  private at(now: number): number {
    if (this.level <= 0) return this.level
    return Math.max(0, this.level - ((now - this.since) / 1000) * this.rate.perSecond)
  }
}

/**
 * Charges the peer of one session. If the peer exceeds a limit, calls `exceeded` with the reason, which ends the
 * session with EnhanceYourCalm.
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
    this.buckets = {
      reset: new Bucket(options.resetBudget),
      refusal: new Bucket(options.refusalBudget),
      useless: new Bucket(options.uselessFrameBudget)
    }
  }

  charge(cost: Cost): void {
    if (!this.buckets[cost].charge(this.time.now)) this.exceeded(TOO_MUCH[cost])
  }

  /** An increment arrived. */
  increment(): void {
    this.increments++
    if (this.increments > this.earnedIncrements + this.options.spareIncrements) {
      this.exceeded("more window increments came than streams, sent bytes and spareIncrements allow")
    }
  }

  /**
   * An RST arrived for an unknown stream. Go and Rust answer each DATA frame on a closed stream with an RST, so each
   * sent DATA frame pays for one.
   */
  lateReset(): void {
    if (this.lateResets >= this.sentFrames) this.charge("useless")
    else this.lateResets++
  }

  /** A DATA frame was sent. It pays for one RST, and each of its bytes pays for one increment. */
  sent(bytes: number): void {
    this.sentFrames++
    this.sentBytes.add(bytes)
  }

  /** A stream was opened or refused. It pays for `LATE_FRAMES` useless frames and one increment. */
  streamBegan(): void {
    this.streams++
    this.buckets.useless.pay(LATE_FRAMES)
  }

  private get earnedIncrements(): number {
    return this.sentBytes.value + this.streams
  }

  /**
   * The current charges, which drain with time, and the increments beyond those that streams and sent bytes pay for.
   */
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
