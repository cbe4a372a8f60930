/** How long a slot waits before it connects again. */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Decision from "effect/ScheduleDecision"
import * as Intervals from "effect/ScheduleIntervals"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { SessionError, SessionFailure } from "../../MuxadoError.js"

/** The least delay between two attempts, in milliseconds. A schedule without delays must not become a busy loop. */
export const LEAST_DELAY = 20

/** The least delay after the peer said EnhanceYourCalm, in milliseconds. The delay is random, up to twice this. */
const CALM_DELAY = 5_000

/**
 * The default schedule: exponential from 100 ms to 30 s, with full jitter. Each delay is random, from 0 to the whole,
 * so that clients that lose their server at the same moment do not return at the same moment.
 */
export const defaultReconnect: Schedule.Schedule<Duration.Duration> = Schedule.exponential("100 millis").pipe(
  Schedule.union(Schedule.spaced("30 seconds")),
  Schedule.map(([delay]) => delay),
  Schedule.jitteredWith({ min: 0, max: 1 })
)

/** Runs a schedule step by step. `Schedule.driver` would sleep itself, and not say for how long. */
export class Backoff {
  private state: unknown

  constructor(private readonly schedule: Schedule.Schedule<unknown, SessionFailure>) {
    this.state = schedule.initial
  }

  /** The next failure gets the first delay of the schedule again. */
  reset(): void {
    this.state = this.schedule.initial
  }

  /** The delay after a failure, in milliseconds; `None` when the schedule has ended. */
  next(error: SessionFailure): Effect.Effect<Option.Option<number>> {
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      const stepped = yield* this.schedule.step(now, error, this.state)
      this.state = stepped[0]
      if (Decision.isDone(stepped[2])) return Option.none()
      const calm = asksForCalm(error) ? yield* Random.nextRange(CALM_DELAY, 2 * CALM_DELAY) : 0
      return Option.some(Math.ceil(Math.max(LEAST_DELAY, calm, Intervals.start(stepped[2].intervals) - now)))
    })
  }
}

/** Whether the peer has ended the session because this side sent too much or connected too often. */
export const asksForCalm = (error: SessionError): boolean =>
  (error._tag === "RemoteGoneAway" || (error._tag === "ProtocolViolation" && error.initiator === "Remote")) &&
  error.code === ErrorCode.EnhanceYourCalm
