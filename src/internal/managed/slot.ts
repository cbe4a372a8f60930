/** One connection of a managed session: connects, watches the session, and replaces it. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { InvalidOptions, SessionError, SessionFailure, StreamReset } from "../../MuxadoError.js"
import * as Session from "../../Session.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { SessionState } from "../session/state.js"
import { stateOf } from "../session/states.js"
import { sessionError } from "../stream/toError.js"
import { peerInWords } from "../transport/peerText.js"
import { millis } from "../support/clock.js"
import { race } from "../support/race.js"
import { Signal } from "../support/waiters.js"
import { asksForCalm, Backoff, defaultReconnect, LEAST_DELAY } from "./backoff.js"
import { failureOf, tooLate } from "./failure.js"
import { Live } from "./live.js"
import type { Event, MoveReason } from "./managedService.js"
import * as metrics from "./metrics.js"
import type { Resolved } from "./options.js"

/** What a slot does; see `Status`. When all slots are `GaveUp`, the managed session is `Closed`. */
export type SlotState =
  | { readonly _tag: "Idle" }
  | { readonly _tag: "Connecting"; readonly attempt: number; readonly lastError: SessionFailure | undefined }
  | {
      readonly _tag: "Backoff"
      readonly attempt: number
      readonly until: number
      readonly lastError: SessionFailure
    }
  | { readonly _tag: "Connected" }
  | { readonly _tag: "Failed"; readonly error: SessionFailure }
  | { readonly _tag: "GaveUp"; readonly error: SessionFailure }

/** An event without the number of the connection. */
type OwnEvent = Event extends infer E ? (E extends Event ? Omit<E, "connection"> : never) : never

/** What a slot needs of its managed session. */
export interface Owner {
  /** Whether a call waits, or the program serves or accepts streams. */
  readonly isWanted: boolean
  /** Whether a call waits. */
  readonly hasCalls: boolean
  /** The managed session drains or is closed. */
  readonly isOver: boolean
  /** The state of a slot has changed, or it has another session. */
  readonly changed: () => void
  /** A session takes calls from now on. */
  readonly joined: (live: Live) => void
  /** Ends a session that takes no more streams, in the background. */
  readonly retire: (live: Live) => void
  /** Runs an effect that must end before the managed session has ended. */
  readonly background: (effect: Effect.Effect<void>) => void
  readonly emit: (event: Event) => Effect.Effect<void>
}

export class Slot<E, R> {
  /** The session that takes new streams, until it is replaced. */
  live: Live | undefined = undefined
  state: SlotState = { _tag: "Idle" }
  /** The last session leaves or is too old, and its replacement is not there yet. */
  isMoving = false

  private readonly backoff: Backoff
  /** The program wants a session, although no call waits: `Idle` ends once. */
  private isHurried = false
  /** A call waits: ends `Idle`, and shortens `Backoff`. */
  private readonly wanted = new Signal()
  /** The program does not want to wait: ends `Backoff` and `Failed`. */
  private readonly hurried = new Signal()
  /** The ids of the session are used up. */
  private readonly exhausted = new Signal()
  /** The failed attempts, and sessions that ended early, since the last healthy session. */
  failures = 0
  /** Why the last attempt or the last session failed; `undefined` while there is a session. */
  lastError: SessionFailure | undefined = undefined
  /** The last attempt failed, or its session ended early. `Idle` sets it to false for the attempt that follows. */
  isFailing = false
  private hasConnected = false

  constructor(
    private readonly number: number,
    private readonly options: Resolved<E, R>,
    private readonly owner: Owner
  ) {
    this.backoff = new Backoff(options.reconnect)
  }

  // --- called by the managed session

  /** The attempts since the last live session, with the one that runs. */
  get attempts(): number {
    return this.state._tag === "Connecting" ? this.failures + 1 : this.failures
  }

  want(): void {
    if (this.state._tag === "Idle" || this.state._tag === "Backoff") this.wanted.notify()
  }

  hurry(): void {
    if (this.state._tag === "Backoff" || this.state._tag === "Failed") this.hurried.notify()
    if (this.live !== undefined || this.state._tag === "Connecting") return
    this.isHurried = true
    this.want()
  }

  /** The session of this slot has no more stream ids. */
  exhaust(live: Live): void {
    if (this.live !== live || live.isExhausted) return
    live.isExhausted = true
    // while it moves, the replacement is on its way already
    if (!this.isMoving) this.exhausted.notify()
  }

  // --- the fiber of the slot

  /** Runs until it is interrupted, or until it gives up. */
  get drive(): Effect.Effect<void, never, Exclude<R, Scope.Scope>> {
    return Effect.gen(this, function* () {
      for (;;) {
        yield* this.untilWanted
        this.isHurried = false
        this.enter({ _tag: "Connecting", attempt: this.failures + 1, lastError: this.lastError })
        const dialled = yield* this.dial
        const goesOn = yield* Either.match(dialled, {
          onLeft: (error) => this.pause(error),
          onRight: (live) => this.watch(live)
        })
        if (!goesOn) return
      }
    }).pipe(
      Effect.catchAllDefect((defect) =>
        Effect.zipRight(
          Effect.logFatal("A managed session has failed", Cause.die(defect)),
          Effect.sync(() => this.enter({ _tag: "GaveUp", error: failureOf(Cause.die(defect)) }))
        )
      )
    )
  }

  private failed(): void {
    this.failures++
    this.isFailing = true
  }

  private recovered(): void {
    this.failures = 0
    this.isFailing = false
    this.backoff.reset()
  }

  /** Ends the session, without a new one. */
  private letGo(): void {
    const { live } = this
    this.isMoving = false
    this.live = undefined
    if (live !== undefined) this.owner.retire(live)
  }

  private enter(state: SlotState): void {
    this.state = state
    this.owner.changed()
  }

  private get untilWanted(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { isHurried, live } = this
      if (!this.options.onDemand || live?.takesStreams === true || this.owner.isWanted || isHurried) return Effect.void
      this.letGo()
      // otherwise no call would wait for the attempt that it starts
      this.isFailing = false
      this.enter({ _tag: "Idle" })
      // a call that came before this step has seen another state
      return this.owner.isWanted ? Effect.void : Effect.zipRight(this.wanted.wait, this.untilWanted)
    })
  }

  /**
   * One attempt. If it succeeds, the session takes calls before an interruption can come. If it fails, its scope is
   * closed in the background.
   */
  private get dial(): Effect.Effect<Either.Either<Live, SessionFailure>, never, Exclude<R, Scope.Scope>> {
    const { connectTimeout } = this.options
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen(this, function* () {
        const scope = yield* Scope.make()
        const began = yield* millis
        // disconnected, so that the limit holds also for a `connect` that cannot be interrupted
        const opening = Effect.disconnect(this.open(scope)).pipe(
          Effect.timeoutFail({ duration: connectTimeout, onTimeout: () => tooLate(connectTimeout) })
        )
        const exit = yield* Effect.exit(restore(opening))
        if (Exit.isSuccess(exit)) {
          const took = (yield* millis) - began
          yield* this.take(exit.value)
          yield* this.emit({ _tag: "Connected", attempt: this.failures + 1, took, peer: exit.value.session.peer })
          return Either.right(exit.value)
        }
        this.owner.background(Scope.close(scope, exit))
        if (this.owner.isOver) return yield* Effect.interrupt
        const error = failureOf(exit.cause)
        if (Cause.isDie(exit.cause)) yield* Effect.logError("`connect` of a managed session died", exit.cause)
        yield* this.count(error)
        yield* this.emit({ _tag: "ConnectFailed", attempt: this.failures + 1, error })
        this.failed()
        const line = `A managed session could not connect (attempt ${this.failures}): ${error.message}`
        // the first one is news; the others would fill the log during an outage
        yield* this.failures === 1 ? Effect.logWarning(line) : Effect.logDebug(line)
        return Either.left(error)
      })
    )
  }

  private open(
    scope: Scope.CloseableScope
  ): Effect.Effect<Live, E | SessionError | StreamReset | InvalidOptions, Exclude<R, Scope.Scope>> {
    const { number: connection, options: managing } = this
    const { connect, session: options, verify } = managing
    return Effect.gen(function* () {
      const transport = yield* connect
      const session = yield* Session.fromTransport(transport, { ...options, role: "client" })
      const state = stateOf(session)
      if (state === undefined) return yield* Effect.dieMessage("a session of this library has a state")
      // a GOAWAY resets the heartbeat's stream, and is the reason of the failure
      if (verify)
        yield* Effect.mapError(session.ping, (error) =>
          error._tag === "StreamReset" ? (goneOf(state) ?? error) : error
        )
      return new Live({ connection, session, state, scope, clock: yield* Effect.clock })
    }).pipe(Scope.extend(scope))
  }

  /** The new session takes calls. The one that it replaces finishes in the background. */
  private take(live: Live): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const old = this.live
      this.live = live
      this.isMoving = false
      this.lastError = undefined
      yield* Metric.increment(metrics.connects)
      if (this.hasConnected) {
        yield* Metric.increment(metrics.reconnects)
        yield* Effect.logInfo(
          `A managed session is connected again${peerOf(live)}, after ${attempts(this.failures + 1)}`
        )
      }
      this.hasConnected = true
      this.owner.joined(live)
      this.enter({ _tag: "Connected" })
      if (old !== undefined) this.owner.retire(old)
    })
  }

  /** Waits until the session must be replaced. Returns false if the slot gives up. */
  private watch(live: Live): Effect.Effect<boolean> {
    return Effect.gen(this, function* () {
      const { healthyAfter, maxAge } = this.options
      const leaving = race(live.session.draining, this.exhausted.wait)
      // `Effect.never` would be a timer that keeps the process alive
      const aged =
        maxAge === Infinity ? leaving : race(leaving, Effect.delay(Effect.void, Math.ceil(maxAge * (yield* NEARLY))))
      yield* aged
      const isOver = live.state.connection.refusal !== undefined
      const error = goneOf(live.state)
      const leaves = error?._tag === "RemoteGoneAway" && error.code === ErrorCode.NoError
      const needed = leaves ? Math.min(healthyAfter, LEAVES_WELL) : healthyAfter
      const isHealthy = error === undefined || (live.age >= needed && !asksForCalm(error))
      if (isHealthy) this.recovered()
      else this.failed()
      if (!isOver || error === undefined) return yield* this.move(live, error, isHealthy)
      const { lost } = yield* live.session.stats
      // an idle server that leaves sends its GOAWAY and ends at the same moment: nothing is lost
      return leaves && isHealthy && lost === 0
        ? yield* this.move(live, error, isHealthy)
        : yield* this.lost(live, error, lost)
    })
  }

  private lost(live: Live, error: SessionError, streams: number): Effect.Effect<boolean> {
    return Effect.gen(this, function* () {
      const lived = Math.round(live.age)
      this.letGo()
      yield* this.count(error)
      yield* this.emit({ _tag: "Lost", error, lived, streams })
      yield* Effect.logWarning(
        `A managed session was lost${peerOf(live)} after ${lived} ms, with ${streams === 1 ? "1 stream" : `${streams} streams`} in flight: ${error.message}`
      )
      return yield* this.pause(failureOf(Cause.fail(error)))
    })
  }

  /** The session still finishes its streams. `error` is why the peer leaves; `undefined` if this side replaces it. */
  private move(live: Live, error: SessionError | undefined, isHealthy: boolean): Effect.Effect<boolean> {
    return Effect.gen(this, function* () {
      const reason: MoveReason = error !== undefined ? "GoAway" : live.isExhausted ? "StreamIds" : "Age"
      this.isMoving = true
      if (error !== undefined) {
        this.live = undefined
        this.owner.retire(live)
      }
      yield* this.emit({ _tag: "Moving", reason, streams: live.load })
      yield* Effect.logDebug(`A managed session moves (${reason})${peerOf(live)}, with ${live.load} open streams`)
      if (error === undefined) return true
      const failure = failureOf(Cause.fail(error))
      // a peer that sends GOAWAY to each new session must not be dialled without pause
      return isHealthy && !(yield* this.isFinal(failure)) ? true : yield* this.pause(failure)
    })
  }

  /** Waits after a failure. Returns false if the slot gives up. */
  private pause(error: SessionFailure): Effect.Effect<boolean> {
    return Effect.gen(this, function* () {
      this.lastError = error
      if (yield* this.isFinal(error)) {
        this.letGo()
        yield* Effect.logError(`A managed session has failed, and does not connect again: ${error.message}`)
        this.enter({ _tag: "Failed", error })
        yield* this.hurried.wait
        this.recovered()
        return true
      }
      const delay = yield* Effect.catchAllCause(this.backoff.next(error), (cause) =>
        Effect.as(Effect.logError("The schedule `reconnect` of a managed session died", cause), Option.none())
      )
      if (Option.isNone(delay)) {
        this.letGo()
        yield* this.emit({ _tag: "GaveUp", error })
        yield* Effect.logError(`A managed session gives up, because its schedule has ended: ${error.message}`)
        this.enter({ _tag: "GaveUp", error })
        return false
      }
      // the replaced session may still take streams; one that has left does not
      if (this.live === undefined) this.isMoving = false
      yield* this.rest(error, delay.value)
      return true
    })
  }

  /** Waits for the delay. If a call waits, a default delay is shortened, so that the call sees at least one attempt. */
  private rest(error: SessionFailure, delay: number): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { openTimeout, reconnect } = this.options
      // the delays of a schedule that the program has given are kept
      const isKept = reconnect !== defaultReconnect || openTimeout === "FailFast" || asksForCalm(error)
      const sooner = isKept ? Infinity : Math.max(LEAST_DELAY, Math.ceil(yield* Random.nextRange(0, openTimeout / 2)))
      const { hasCalls } = this.owner
      const wait = hasCalls ? Math.min(delay, sooner) : delay
      const began = yield* millis
      const until = (yield* Clock.currentTimeMillis) + wait
      this.enter({ _tag: "Backoff", attempt: this.failures, until, lastError: error })
      const over = race(this.hurried.wait, Effect.sleep(wait))
      if (hasCalls || wait <= sooner) return yield* over
      const isCalled = yield* race(Effect.as(over, false), Effect.as(this.wanted.wait, true))
      // by the monotonic clock: the wall clock may have been set
      const left = Math.ceil(wait - ((yield* millis) - began))
      if (isCalled && left > 0) yield* this.rest(error, left)
    })
  }

  private isFinal(error: SessionFailure): Effect.Effect<boolean> {
    return Effect.catchAllCause(
      Effect.sync(() => this.options.isFinal(error) === true),
      (cause) => Effect.as(Effect.logError("`isFinal` of a managed session threw", cause), false)
    )
  }

  private emit(event: OwnEvent): Effect.Effect<void> {
    return this.owner.emit({ ...event, connection: this.number })
  }

  private count(error: SessionError): Effect.Effect<void> {
    return Metric.increment(Metric.tagged(metrics.failures, "reason", error._tag))
  }
}

/** Why the session leaves or has ended; `undefined` while it does neither. */
const goneOf = ({ connection }: SessionState): SessionError | undefined => {
  const end = connection.refusal ?? connection.remoteEnd
  return end === undefined ? undefined : sessionError(end, "maybe")
}

/**
 * A session has lived this long, in milliseconds, and its peer drains: that is no failed attempt. In a rolling restart a
 * client can meet several servers that leave one after the other.
 */
const LEAVES_WELL = 1_000

/** 90 to 110 percent, so that sessions that were made at the same moment are not replaced at the same moment. */
const NEARLY = Random.nextRange(0.9, 1.1)

const attempts = (count: number): string => (count === 1 ? "1 attempt" : `${count} attempts`)

const peerOf = ({ session: { peer } }: Live): string => (peer === undefined ? "" : ` with ${peerInWords(peer)}`)
