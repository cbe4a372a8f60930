/** Repeats a call that the peer certainly did nothing with. */
import * as Schedule from "effect/Schedule"
import type { MuxadoError } from "../../MuxadoError.js"
import { isMuxadoError, retry } from "../../MuxadoError.js"
import type { MuxStream } from "../stream/muxStream.js"
import { StreamHandle } from "../stream/streamHandle.js"

/** What `retry: true` means: 5 more times, from 20 ms to 1 second, with full jitter. */
const defaultRetry: Schedule.Schedule<unknown, MuxadoError> = Schedule.exponential("20 millis").pipe(
  Schedule.union(Schedule.spaced("1 second")),
  Schedule.jitteredWith({ min: 0, max: 1 }),
  Schedule.intersect(Schedule.recurs(5))
)

/** The schedule that the option `retry` means; `undefined` if it is none of its values. */
export const retrySchedule = (given: unknown): Schedule.Schedule<unknown, MuxadoError> | false | undefined =>
  given === false ? false : given === true ? defaultRetry : isSchedule(given) ? given : undefined

const isSchedule = (given: unknown): given is Schedule.Schedule<unknown, MuxadoError> => Schedule.isSchedule(given)

/** A failure after which a call can be repeated safely. */
interface Repeatable {
  readonly error: MuxadoError
  readonly on: "SameSession" | "NewSession"
}

/**
 * Whether a call can be repeated: the peer certainly did nothing with its stream.
 *
 * The error alone does not prove it, because `use` may have called another peer, and that call may have failed with
 * `processed: "no"`. So the stream must have failed in this way too.
 */
export const repeatable = (error: unknown, stream: MuxStream | undefined): Repeatable | undefined => {
  if (!isMuxadoError(error) || !(stream instanceof StreamHandle)) return undefined
  if (stream.core.failure?.processed !== "no") return undefined
  const on = retry(error)
  return on === "Never" ? undefined : { error, on }
}

/** The most retries that a budget holds. */
const MOST = 100

/**
 * Limits the retries on a healthy session: a burst of 100, and one for each 5 calls. So an overloaded peer does not get
 * a multiple of its load.
 */
export class RetryBudget {
  private left = MOST

  /** A call starts. */
  earn(): void {
    this.left = Math.min(MOST, this.left + 0.2)
  }

  /** Takes one retry, and returns whether there was one. */
  spend(): boolean {
    if (this.left < 1) return false
    this.left--
    return true
  }
}
