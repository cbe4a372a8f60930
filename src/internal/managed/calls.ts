/** The calls of a managed session that need a live one: they wait for it, and go elsewhere if it leaves. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { InvalidOptions, MuxadoError, OpenError, SessionError, StreamReset } from "../../MuxadoError.js"
import type { OpenOptions } from "../session/sessionService.js"
import type { MuxStream } from "../stream/muxStream.js"
import type { Deadline } from "./deadline.js"
import type { Live } from "./live.js"
import { isMuxadoError } from "../../MuxadoError.js"
import * as metrics from "./metrics.js"
import { repeatable, RetryBudget } from "./retrying.js"

/** What the calls need of the managed session. */
interface Owner {
  readonly deadline: Deadline
  readonly pickNow: () => Live | undefined
  readonly usable: (deadline: Deadline) => Effect.Effect<Live, SessionError>
  readonly exhausted: (live: Live) => void
}

type Use<A, E, R> = (stream: MuxStream) => Effect.Effect<A, E, R>

export class Calls {
  private readonly budget = new RetryBudget()

  constructor(private readonly owner: Owner) {}

  open(requested: OpenOptions | undefined): Effect.Effect<MuxStream, OpenError, Scope.Scope> {
    const on = (live: Live, deadline: Deadline): Effect.Effect<MuxStream, OpenError, Scope.Scope> =>
      live.session.open(requested).pipe(
        Effect.tap((stream) => this.opened(live, stream)),
        Effect.catchAll((error) => this.elsewhere(live, error, deadline, on))
      )
    return Effect.suspend(() => this.first(on))
  }

  withStream<A, E, R>(use: Use<A, E, R>, requested: OpenOptions | undefined): Effect.Effect<A, E | OpenError, R> {
    const on = (live: Live, deadline: Deadline): Effect.Effect<A, E | OpenError, R> => {
      let isOpen = false
      const call = live.session.withStream((stream) => {
        isOpen = true
        this.opened(live, stream)
        return use(stream)
      }, requested)
      return Effect.catchAll(call, (error) =>
        isOpen || !isOpenError(error) ? Effect.fail(error) : this.elsewhere(live, error, deadline, on)
      )
    }
    return Effect.suspend(() => this.first(on))
  }

  /** `withStream`, and again while the peer certainly did nothing with the stream. */
  withRetry<A, E, R>(
    use: Use<A, E, R>,
    requested: OpenOptions | undefined,
    schedule: Schedule.Schedule<unknown, MuxadoError>
  ): Effect.Effect<A, E | OpenError, R> {
    return Effect.flatMap(Schedule.driver(schedule), (driver) => {
      const attempt: Effect.Effect<A, E | OpenError, R> = Effect.suspend(() => {
        let last: MuxStream | undefined
        const call = this.withStream((stream) => {
          last = stream
          return use(stream)
        }, requested)
        return Effect.catchAll(call, (error) => {
          const again = repeatable(error, last)
          // a session that leaves costs the peer nothing; a peer that refuses is overloaded
          if (again === undefined || (again.on === "SameSession" && !this.budget.spend())) return Effect.fail(error)
          return Effect.matchEffect(driver.next(again.error), {
            onFailure: () => Effect.fail(error),
            onSuccess: () =>
              again.on === "SameSession" ? attempt : Effect.zipRight(Metric.increment(metrics.streamsMoved), attempt)
          })
        })
      })
      this.budget.earn()
      return attempt
    })
  }

  get ping(): Effect.Effect<Duration.Duration, SessionError | StreamReset | InvalidOptions> {
    return Effect.suspend(() => Effect.flatMap(this.owner.usable(this.owner.deadline), (live) => live.session.ping))
  }

  private first<A, E, R>(
    on: (live: Live, deadline: Deadline) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | SessionError, R> {
    const { deadline } = this.owner
    const live = this.owner.pickNow()
    return live === undefined
      ? Effect.flatMap(this.owner.usable(deadline), (found) => on(found, deadline))
      : on(live, deadline)
  }

  /** The session has opened no stream. If another session can, the call goes there, and the caller does not see it. */
  private elsewhere<A, E, R>(
    live: Live,
    error: OpenError,
    deadline: Deadline,
    on: (live: Live, deadline: Deadline) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | OpenError, R> {
    if (error._tag === "InvalidOptions" || error.processed !== "no") return Effect.fail(error)
    if (error._tag === "StreamsExhausted") this.owner.exhausted(live)
    // without this, a session that fails each `open` and does not leave would be asked again without end
    if (live.takesStreams) return Effect.fail(error)
    return Effect.zipRight(
      Metric.increment(metrics.streamsMoved),
      Effect.flatMap(this.owner.usable(deadline), (next) => on(next, deadline))
    )
  }

  private opened(live: Live, stream: MuxStream): void {
    if (live.isNearlyExhausted(stream.id)) this.owner.exhausted(live)
  }
}

/** Whether opening a stream can fail in this way. */
const isOpenError = (error: unknown): error is OpenError =>
  isMuxadoError(error) &&
  error._tag !== "StreamReset" &&
  error._tag !== "StreamClosed" &&
  error._tag !== "ReadLimitExceeded" &&
  error._tag !== "ServerFailed"
