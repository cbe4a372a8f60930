/** One live session of a managed session. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { SessionError } from "../../MuxadoError.js"
import type { SessionService } from "../session/sessionService.js"
import type { SessionState } from "../session/state.js"
import { millisOf } from "../support/clock.js"
import { Once } from "../support/waiters.js"

/**
 * The wall clock runs ahead of the monotonic clock by this many milliseconds more than before: the process was
 * suspended. The monotonic clock of some systems stands still meanwhile. Smaller steps are corrections of the time.
 */
const SUSPENDED = 5_000

/** The highest ids of a session, and with room for the streams that open meanwhile. */
const LAST_IDS = 0x7fffffff - 2 * 10_000

interface Parts {
  readonly connection: number
  readonly session: SessionService
  readonly state: SessionState
  readonly scope: Scope.CloseableScope
  readonly clock: Clock.Clock
}

/** What a probe needs of the managed session. The probe continues if the calls that wait for it are interrupted. */
interface Probing {
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Called once, when the session is condemned. `error` is `undefined` if there was no answer. */
  readonly failed: (error: SessionError | undefined) => Effect.Effect<void>
}

export class Live {
  /** The number of its connection, from 0. */
  readonly connection: number
  readonly session: SessionService
  readonly state: SessionState
  readonly scope: Scope.CloseableScope
  /** When it was made, in milliseconds since 1970. */
  readonly since: number
  /** No stream can be opened any more, because the ids are used up. */
  isExhausted = false
  /** It has not answered a probe, and is being closed. */
  isCondemned = false

  private readonly clock: Clock.Clock
  /** When it was made, in milliseconds of the monotonic clock. */
  private readonly began: number
  /** The wall clock minus the monotonic clock, when the session was last trusted. */
  private offset: number
  private probing: Once<void> | undefined = undefined

  constructor({ clock, connection, scope, session, state }: Parts) {
    this.connection = connection
    this.session = session
    this.state = state
    this.scope = scope
    this.clock = clock
    this.began = millisOf(clock)
    this.since = clock.unsafeCurrentTimeMillis()
    this.offset = this.since - this.began
  }

  /** Asked in the step that picks a session, so that no call goes to one that leaves. */
  get takesStreams(): boolean {
    const { connection } = this.state
    return (
      !this.isExhausted && !this.isCondemned && connection.refusal === undefined && connection.remoteEnd === undefined
    )
  }

  get hasEnded(): boolean {
    return this.state.connection.end !== undefined
  }

  /** The number of its open streams. */
  get load(): number {
    return this.state.connection.openStreams
  }

  /** The milliseconds since it was made. */
  get age(): number {
    return millisOf(this.clock) - this.began
  }

  /** Whether a stream with this id is one of the last. */
  isNearlyExhausted(streamId: number): boolean {
    return streamId >= LAST_IDS
  }

  /** Whether the peer was heard within `probeAfter` milliseconds, and the process was not suspended. */
  isTrusted(probeAfter: number): boolean {
    const now = millisOf(this.clock)
    const ahead = this.clock.unsafeCurrentTimeMillis() - now - this.offset
    return now - this.state.connection.lastHeard <= probeAfter && ahead < SUSPENDED
  }

  /**
   * Sends a heartbeat and waits for the answer, for at most `limit` milliseconds. All callers at the same time share one
   * heartbeat. Without an answer, the session is condemned.
   */
  probe(limit: number, { failed, fork }: Probing): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.probing !== undefined) return this.probing.await
      const probing = new Once<void>()
      this.probing = probing
      fork(
        Effect.flatMap(this.ask(limit), (answer) => {
          this.probing = undefined
          this.offset = this.clock.unsafeCurrentTimeMillis() - millisOf(this.clock)
          const isNew = Either.isLeft(answer) && !this.isCondemned
          if (isNew) this.isCondemned = true
          const told = isNew ? failed(answer.left) : Effect.void
          return Effect.map(told, () => {
            probing.complete(Exit.void)
          })
        })
      )
      return probing.await
    })
  }

  /** `Left` with the error, or with `undefined` if there was no answer. */
  private ask(limit: number): Effect.Effect<Either.Either<void, SessionError | undefined>> {
    return this.session.ping.pipe(
      Effect.timeoutTo({
        duration: Duration.millis(limit),
        onTimeout: () => Either.left(undefined),
        onSuccess: () => Either.right(undefined)
      }),
      Effect.catchAll((error) =>
        // a refused heartbeat stream is an answer, too
        Effect.succeed(
          error._tag === "StreamReset" || error._tag === "InvalidOptions" ? Either.right(undefined) : Either.left(error)
        )
      ),
      Effect.catchAllCause(() => Effect.succeed(Either.left(undefined)))
    )
  }
}
