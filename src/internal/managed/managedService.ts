/** The interface of a managed session: its options, its status and its events. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import type * as Subscribable from "effect/Subscribable"
import type { MuxadoError, OpenError, SessionError, SessionFailure } from "../../MuxadoError.js"
import type { SessionOptions } from "../../SessionOptions.js"
import type { OpenOptions, SessionService } from "../session/sessionService.js"
import type { MuxStream } from "../stream/muxStream.js"
import type { Peer, TransportService } from "../transport/transportService.js"

/**
 * When and how a managed session connects. All of these have defaults. `connect` is in `Options`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ManagingOptions extends SessionOptions {
  /**
   * `"AtOnce"`: connects when it is made, and again after each loss. `"OnDemand"`: connects when a call waits for a
   * session, or while the program serves or accepts streams. Default `"AtOnce"`.
   */
  readonly dial?: "AtOnce" | "OnDemand" | undefined
  /**
   * The delays between attempts. Its input is the error of the last attempt or session. When it ends, the managed
   * session is `Closed`. Each delay is at least 20 ms, and at least 5 seconds after the peer sent EnhanceYourCalm.
   * Default: exponential from 100 ms to 30 seconds, with full jitter. While a call waits, a default delay is at most a
   * random part of half of `openTimeout`, so that the call sees an attempt.
   */
  readonly reconnect?: Schedule.Schedule<unknown, SessionFailure> | undefined
  /**
   * A session that has lived this long starts the delays anew. One that ends earlier counts as a failed attempt. If the
   * session ends because the peer drains, 1 second is enough. Default 10 seconds.
   */
  readonly healthyAfter?: Duration.DurationInput | undefined
  /**
   * Whether connecting again is of no use, such as after wrong credentials. The managed session is then `Failed`, and
   * calls fail at once, until `reconnect` is run. Default: never.
   */
  readonly isFinal?: ((error: SessionFailure) => boolean) | undefined
  /** How long one attempt may take: `connect`, and the first answered heartbeat. Default 10 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /**
   * Waits for the answer to a heartbeat before a new session takes calls. So a server that accepts connections and
   * does not serve them receives no call. Default: true on typed sessions. Needs a peer that answers heartbeats.
   */
  readonly verify?: boolean | undefined
  /**
   * How long a call waits for a live session. With `"FailFast"`, a call fails at once while there is none and the last
   * attempt has failed. Default 10 seconds.
   */
  readonly openTimeout?: Duration.DurationInput | "FailFast" | undefined
  /** The maximum number of calls that wait for a live session. Further calls fail at once. Default 10,000. */
  readonly maxWaiting?: number | undefined
  /**
   * The age at which a session is replaced, less or more 10 %. The new one is made first. Default: none. Use it to
   * spread clients over servers that were added later.
   */
  readonly maxAge?: Duration.DurationInput | undefined
  /** How long the streams of a replaced session may go on; then they are reset. Default 30 seconds. */
  readonly moveGrace?: Duration.DurationInput | undefined
  /**
   * The number of connections. A new stream goes to the session with the fewest open streams. Default 1.
   */
  readonly size?: number | undefined
  /**
   * If the peer was silent for longer, or if the process was suspended, a session is probed with a heartbeat before it
   * takes a new stream. Default 30 seconds. Without `verify`, there is no probe.
   */
  readonly probeAfter?: Duration.DurationInput | undefined
  /** How long the answer to a probe may take; then the session is closed. Default 5 seconds. */
  readonly probeTimeout?: Duration.DurationInput | undefined
  /** The default of the option `retry` of `withStream`. Default false. */
  readonly retry?: boolean | Schedule.Schedule<unknown, MuxadoError> | undefined
}

/**
 * The options of a managed session: how to connect, and everything of `ManagingOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> extends ManagingOptions {
  /**
   * Makes the transport of one session. It is run for each attempt, in a scope that lives as long as the session. So
   * names are resolved and credentials are read each time.
   */
  readonly connect: Effect.Effect<TransportService, E, R>
}

/**
 * Options of `withStream` of a managed session.
 *
 * @since 0.1.0
 * @category models
 */
export interface WithStreamOptions extends OpenOptions {
  /**
   * Runs `use` again, with a new stream, if it fails and the peer certainly did nothing with the stream (`processed:
   * "no"`). `true`: up to 5 more times, with delays from 20 ms to 1 second and full jitter. A schedule: as it says.
   * Never after the peer may have acted on the stream. Default: the option `retry` of the managed session.
   */
  readonly retry?: boolean | Schedule.Schedule<unknown, MuxadoError> | undefined
}

/**
 * What a managed session does at this moment. With several connections, it is the best of their states. Points in time
 * are in milliseconds since 1970.
 *
 * - `Idle`: it waits for a call (`dial: "OnDemand"`).
 * - `Connecting`: attempt number `attempt` runs. `lastError` is why the one before, or the last session, failed.
 * - `Backoff`: the next attempt starts at `until`.
 * - `Connected`: `sessions` sessions take new streams. `since` and `peer` are those of the oldest.
 * - `Moving`: the session is being replaced, because the peer leaves, or because of its age or its ids. If the peer
 *   leaves, new calls wait for the replacement. After a first failed attempt, `Backoff` follows.
 * - `Failed`: `isFinal` returned true. `reconnect` starts again.
 * - `Draining`: the program has called `drain`, or the scope closes.
 * - `Closed`: it is over.
 *
 * @since 0.1.0
 * @category models
 */
export type Status =
  | { readonly _tag: "Idle" }
  | {
      readonly _tag: "Connecting"
      /** The number of this attempt, from 1; an early end of a session counts as an attempt. */
      readonly attempt: number
      /** Why the attempt before it, or the last session, failed. */
      readonly lastError: SessionFailure | undefined
    }
  | {
      readonly _tag: "Backoff"
      /** The failed attempts so far. */
      readonly attempt: number
      /** When the next attempt starts, in milliseconds since 1970. */
      readonly until: number
      /** Why the last attempt, or the last session, failed. */
      readonly lastError: SessionFailure
    }
  | {
      readonly _tag: "Connected"
      /** When the oldest session was made, in milliseconds since 1970. */
      readonly since: number
      /** The peer of the oldest session, where the transport knows it. */
      readonly peer: Peer | undefined
      /** How many sessions take new streams. */
      readonly sessions: number
    }
  | {
      readonly _tag: "Moving"
      /** The number of this attempt to make the replacement, or of the failed ones. */
      readonly attempt: number
      /** Why the last attempt failed; `undefined` before the first failure. */
      readonly lastError: SessionFailure | undefined
    }
  | {
      readonly _tag: "Failed"
      /** The error for which `isFinal` returned true. */
      readonly error: SessionFailure
    }
  | { readonly _tag: "Draining" }
  | {
      readonly _tag: "Closed"
      /** `SessionClosed` if the program has ended it, `SessionUnavailable` if its schedule has ended. */
      readonly reason: SessionError
    }

/**
 * What has happened to one connection of a managed session.
 *
 * @since 0.1.0
 * @category models
 */
export type Event = {
  /** The number of the connection, from 0. */
  readonly connection: number
} & (
  | {
      readonly _tag: "Connected"
      /** How many attempts it took. */
      readonly attempt: number
      /** How long this attempt took, in milliseconds. */
      readonly took: number
      /** The peer, where the transport knows it. */
      readonly peer: Peer | undefined
    }
  | {
      readonly _tag: "ConnectFailed"
      /** The number of the attempt, from 1. */
      readonly attempt: number
      /** Why it failed. */
      readonly error: SessionFailure
    }
  | {
      readonly _tag: "Lost"
      /** Why the session ended. */
      readonly error: SessionError
      /** How long it lived, in milliseconds. */
      readonly lived: number
      /** The streams that were open. */
      readonly streams: number
    }
  | {
      readonly _tag: "Moving"
      /** Why the session is replaced. */
      readonly reason: MoveReason
      /** The streams that go on, on the old session. */
      readonly streams: number
    }
  | {
      readonly _tag: "ProbeFailed"
      /** Why the session could not be probed; `undefined` if no answer came. */
      readonly error: SessionError | undefined
    }
  | {
      readonly _tag: "GaveUp"
      /** The last failure. */
      readonly error: SessionFailure
    }
)

/**
 * Why a session is replaced: the peer has sent GOAWAY, `maxAge` is over, or its stream ids are used up.
 *
 * @since 0.1.0
 * @category models
 */
export type MoveReason = "GoAway" | "Age" | "StreamIds"

/**
 * A session that connects again. It has the whole interface of a session. A stream stays on the session on which it was
 * opened.
 *
 * - `open`, `withStream` and `ping` wait for a live session, up to `openTimeout`. Then they fail with
 *   `SessionUnavailable`.
 * - `accept` and `serve` continue across sessions.
 * - `peer` is the peer of the current session, `undefined` without one. `stats` are those of all sessions so far.
 * - `goAway` concerns the current sessions. `drain`, `close` and `closeWith` end the managed session for good.
 * - `draining` and `closed` concern the managed session, and not the sessions under it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ManagedSessionService extends Omit<SessionService, "withStream"> {
  /** As `withStream` of a session, with the additional option `retry`. */
  readonly withStream: <A, E, R>(
    use: (stream: MuxStream) => Effect.Effect<A, E, R>,
    options?: WithStreamOptions
  ) => Effect.Effect<A, E | OpenError, R>
  /** What it does at this moment. `changes` begins with it. A slow reader skips states, and sees the latest. */
  readonly status: Subscribable.Subscribable<Status>
  /** What happens from now on. A reader that is more than 256 events behind loses the oldest. */
  readonly events: Stream.Stream<Event>
  /** Connects now, without the rest of the delay, and also after `Failed`. It does not wait for the connection. */
  readonly reconnect: Effect.Effect<void>
}
