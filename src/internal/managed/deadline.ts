/** How long one call may wait for a session. */
import type * as Clock from "effect/Clock"
import { millisOf } from "../support/clock.js"

/** It starts when the call first waits, so that a call that need not wait reads no clock. */
export class Deadline {
  private startedAt: number | undefined = undefined

  constructor(
    private readonly clock: Clock.Clock,
    /** In milliseconds. */
    private readonly limit: number
  ) {}

  /** The milliseconds that the call has waited. */
  get waited(): number {
    const now = millisOf(this.clock)
    this.startedAt ??= now
    return now - this.startedAt
  }

  /** The milliseconds that are left, 0 or more. */
  get left(): number {
    return Math.max(0, this.limit - this.waited)
  }
}
