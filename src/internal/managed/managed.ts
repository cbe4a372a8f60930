/** The state of a managed session: its slots, the calls that wait for a session, and its end. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as PubSub from "effect/PubSub"
import * as Scope from "effect/Scope"
import type { Processed, SessionError, SessionFailure } from "../../MuxadoError.js"
import { SessionClosed, SessionUnavailable } from "../../MuxadoError.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { SessionService, SessionStats } from "../session/sessionService.js"
import { race } from "../support/race.js"
import type { AnyFiber } from "../support/run.js"
import { onExit, Runner } from "../support/run.js"
import { Once, WaitSet } from "../support/waiters.js"
import { Deadline } from "./deadline.js"
import type { Live } from "./live.js"
import type { Event } from "./managedService.js"
import * as metrics from "./metrics.js"
import type { Resolved } from "./options.js"
import { Serving } from "./serving.js"
import { Slot } from "./slot.js"
import { StatusRef } from "./status.js"
import { statusOf } from "./statusOf.js"
import { Totals } from "./totals.js"

/** The events that a slow reader can be behind. */
const EVENTS = 256

/** Why it is over: the program has closed it, with the code and text that it gave, or it has given up. */
export type Over =
  | { readonly _tag: "Closed"; readonly code?: number | undefined; readonly debug?: string | undefined }
  | { readonly _tag: "GaveUp"; readonly error: SessionFailure }

export class Managed<E, R> {
  readonly status = new StatusRef({ _tag: "Idle" })
  readonly serving: Serving
  readonly totals = new Totals()
  /** Completes when no more streams are accepted and opened. */
  readonly refusing = new Once<void>()
  /** Completes with the reason when the managed session begins to leave. */
  readonly draining = new Once<SessionError>()
  readonly ended = new Once<SessionError>()
  /** The sessions that have not ended, also those that take no new streams. */
  readonly lives = new Set<Live>()

  private readonly slots: ReadonlyArray<Slot<E, R>>
  private readonly waiting = new WaitSet()
  /** The number of calls that wait for a session. */
  private waitingCalls = 0
  private readonly fibers = new Set<AnyFiber>()
  private drivers: ReadonlyArray<AnyFiber> = []
  private over: Over | undefined = undefined
  /** The slot at which the next search begins. */
  private first = 0

  private constructor(
    readonly options: Resolved<E, R>,
    readonly events: PubSub.PubSub<Event | undefined>,
    private readonly clock: Clock.Clock,
    private readonly runner: Runner<Exclude<R, Scope.Scope>>
  ) {
    this.serving = new Serving({
      want: () => this.want(),
      refusal: () => (this.over === undefined ? undefined : this.refusal("maybe"))
    })
    this.slots = Array.from({ length: options.size }, (_, number) => new Slot(number, options, this))
  }

  /** Starts to connect. The caller must `finish` it. */
  static make<E, R>(options: Resolved<E, R>): Effect.Effect<Managed<E, R>, never, Exclude<R, Scope.Scope>> {
    return Effect.gen(function* () {
      const runner = yield* Runner.current<Exclude<R, Scope.Scope>>()
      const events = yield* PubSub.sliding<Event | undefined>(EVENTS + 1)
      // it lives longer than the request and the span in which it is made
      const managed = new Managed(options, events, yield* Effect.clock, runner.outside.withoutSpan("linked"))
      managed.drivers = managed.slots.map((slot) => managed.runner.fork(slot.drive))
      return managed
    })
  }

  // --- what the slots need: `Owner`

  get isWanted(): boolean {
    return this.waitingCalls > 0 || this.serving.isWanted
  }

  get hasCalls(): boolean {
    return this.waitingCalls > 0
  }

  get isOver(): boolean {
    return this.over !== undefined
  }

  changed(): void {
    if (this.over !== undefined) return
    const states = this.slots.map(({ state }) => state)
    const [first] = states
    if (first?._tag === "GaveUp" && states.every(({ _tag }) => _tag === "GaveUp")) {
      this.leave({ _tag: "GaveUp", error: first.error })
      this.background(this.endEvents)
      return this.close()
    }
    this.status.set(statusOf(this.slots))
    if (this.pick() !== undefined || this.verdict !== undefined) this.waiting.notifyAll()
  }

  joined(live: Live): void {
    this.lives.add(live)
    this.serving.join(live.state.accepting)
  }

  retire(live: Live): void {
    const finishing = live.hasEnded ? Effect.void : live.session.drain(this.options.moveGrace)
    this.background(Effect.zipRight(finishing, this.end(live)))
  }

  background(effect: Effect.Effect<void>): void {
    const guarded = Effect.catchAllCause(effect, (cause) =>
      Effect.logError("A session of a managed session could not be ended", cause)
    )
    const fiber = this.runner.fork(guarded)
    this.fibers.add(fiber)
    onExit(fiber, () => this.fibers.delete(fiber))
  }

  emit(event: Event): Effect.Effect<void> {
    return Effect.asVoid(PubSub.publish(this.events, event))
  }

  // --- calls

  /** A session for a new stream, if there is one that needs neither a wait nor a probe. */
  pickNow(): Live | undefined {
    const live = this.over === undefined ? this.pick() : undefined
    return live !== undefined && this.isReady(live) ? live : undefined
  }

  /** A session for a new stream. Waits for one, at most until the deadline. */
  usable(deadline: Deadline): Effect.Effect<Live, SessionError> {
    return Effect.suspend(() => {
      if (this.over !== undefined) return Effect.fail(this.refusal("no"))
      const live = this.pick()
      if (live === undefined) return this.next(deadline)
      if (this.isReady(live)) return Effect.succeed(live)
      return Effect.flatMap(this.probe(live, deadline), (isAnswered) =>
        // not any session: the others may have to be probed, too, and this one again after them
        isAnswered && live.takesStreams ? Effect.succeed(live) : this.usable(deadline)
      )
    })
  }

  /** The time that a call may wait. */
  get deadline(): Deadline {
    const { openTimeout } = this.options
    return new Deadline(this.clock, openTimeout === "FailFast" ? Infinity : openTimeout)
  }

  /** The session has used its last ids: its slot makes another one. */
  exhausted(live: Live): void {
    for (const slot of this.slots) slot.exhaust(live)
  }

  /** A session that takes new streams. */
  get current(): SessionService | undefined {
    return this.slots.find(({ live }) => live?.takesStreams === true)?.live?.session
  }

  /** The statistics of all sessions so far. */
  get stats(): Effect.Effect<SessionStats> {
    return Effect.suspend(() =>
      Effect.map(
        Effect.forEach([...this.lives], ({ session }) => session.stats),
        (stats) => this.totals.with(stats)
      )
    )
  }

  forEachSession(use: (session: SessionService) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => Effect.forEach([...this.lives], ({ session }) => use(session), { discard: true }))
  }

  /** Connects now. */
  hurry(): void {
    for (const slot of this.slots) slot.hurry()
  }

  private want(): void {
    for (const slot of this.slots) slot.want()
  }

  private pick(): Live | undefined {
    let best: Live | undefined = undefined
    const { length } = this.slots
    // begins at another slot each time, so that ties are spread evenly
    this.first = (this.first + 1) % length
    for (let i = 0; i < length; i++) {
      const live = this.slots[(this.first + i) % length]?.live
      if (live === undefined || !live.takesStreams) continue
      if (best === undefined || live.load < best.load) best = live
    }
    return best
  }

  private isReady(live: Live): boolean {
    // a peer that does not answer heartbeats cannot be probed
    return !this.options.verify || live.isTrusted(this.options.probeAfter)
  }

  /** Probes the session, which may be no live one. Returns whether the probe is over before the deadline. */
  private probe(live: Live, deadline: Deadline): Effect.Effect<boolean, SessionError> {
    const { left } = deadline
    if (left === 0) return this.unavailable("Timeout", deadline)
    const probing = live.probe(this.options.probeTimeout, {
      fork: (effect) => this.background(effect),
      failed: (error) => {
        // otherwise its streams would hang until the heartbeat notices
        this.background(live.session.closeWith({ debug: "the peer did not answer a probe" }))
        return this.emit({ _tag: "ProbeFailed", connection: live.connection, error })
      }
    })
    const over = Effect.as(probing, true)
    return left === Infinity ? over : race(over, Effect.as(Effect.sleep(left), false))
  }

  /** Why a call does not wait; `undefined` if it may. */
  private get verdict(): SessionUnavailable["reason"] | undefined {
    if (this.slots.every(({ state }) => state._tag === "Failed" || state._tag === "GaveUp")) return "GaveUp"
    const failsFast = this.options.openTimeout === "FailFast" && this.slots.every(({ isFailing }) => isFailing)
    return failsFast ? "FailFast" : undefined
  }

  /** Waits until there is a session, and tries again. */
  private next(deadline: Deadline): Effect.Effect<Live, SessionError> {
    const { verdict } = this
    if (verdict !== undefined) return this.unavailable(verdict, deadline)
    if (this.waitingCalls >= this.options.maxWaiting) return this.unavailable("TooManyWaiting", deadline)
    const { left } = deadline
    if (left === 0) return this.unavailable("Timeout", deadline)
    const woken = this.waiting.waitUnless(
      () => this.over !== undefined || this.verdict !== undefined || this.pick() !== undefined
    )
    const waiting = Effect.acquireUseRelease(
      this.waitMore(1),
      () => (left === Infinity ? woken : race(woken, Effect.sleep(left))),
      () => this.waitMore(-1)
    )
    return Effect.zipRight(waiting, this.usable(deadline))
  }

  private waitMore(calls: 1 | -1): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.waitingCalls += calls
      if (calls > 0) this.want()
      return Metric.incrementBy(metrics.waiting, calls)
    })
  }

  private get attempts(): number {
    return Math.max(...this.slots.map((slot) => slot.attempts))
  }

  private unavailable(reason: SessionUnavailable["reason"], deadline: Deadline): Effect.Effect<never, SessionError> {
    const error = new SessionUnavailable({
      reason,
      state: this.status.value._tag,
      attempts: this.attempts,
      waited: deadline.waited,
      cause: this.slots.find(({ lastError }) => lastError !== undefined)?.lastError
    })
    return Effect.zipRight(Metric.increment(Metric.tagged(metrics.unavailable, "reason", reason)), Effect.fail(error))
  }

  // --- the end

  /** Why it takes no more calls. */
  refusal(processed: Processed): SessionError {
    const { over } = this
    if (over?._tag !== "GaveUp") {
      const { code, debug } = over ?? {}
      const said = code === undefined && debug === undefined ? {} : { code: code ?? ErrorCode.NoError, debug }
      return new SessionClosed({ ...said, initiator: "Local", processed })
    }
    const { attempts } = this
    return new SessionUnavailable({ reason: "GaveUp", state: "Closed", attempts, waited: 0, cause: over.error })
  }

  /**
   * Takes no more calls, stops to connect, and ends all sessions with `ending`. Each call ends the sessions that are
   * left. Completes when nothing is left. If a handler of a session calls it, it completes when only the streams of
   * such handlers are left, and goes on in the background.
   */
  finish(over: Over, ending: (session: SessionService) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      this.leave(over)
      yield* Fiber.interruptAll(this.drivers)
      const lives = [...this.lives]
      yield* Effect.forEach(lives, ({ session }) => ending(session), { concurrency: "unbounded", discard: true })
      const rest = this.endAll(lives)
      if (lives.every(({ hasEnded }) => hasEnded)) yield* rest
      else yield* Effect.forkDaemon(rest)
    })
  }

  private endAll(lives: ReadonlyArray<Live>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      yield* Effect.forEach(lives, (live) => Effect.zipRight(live.session.closed, this.end(live)), {
        concurrency: "unbounded",
        discard: true
      })
      while (this.fibers.size > 0) yield* Fiber.awaitAll([...this.fibers])
      this.close()
      yield* this.endEvents
    })
  }

  /** A shutdown would take from the readers the events that they have not read. */
  private get endEvents(): Effect.Effect<void> {
    return Effect.asVoid(PubSub.publish(this.events, undefined))
  }

  private end(live: Live): Effect.Effect<void> {
    return Effect.zipRight(
      Scope.close(live.scope, Exit.void),
      Effect.map(live.session.stats, (stats) => {
        if (!this.lives.delete(live)) return
        this.serving.leave(live.state.accepting)
        this.totals.ended(stats)
      })
    )
  }

  private leave(over: Over): void {
    if (this.over !== undefined) return
    this.over = over
    this.status.set({ _tag: "Draining" })
    this.refusing.complete(Exit.void)
    this.draining.complete(Exit.succeed(this.refusal("maybe")))
    this.serving.close()
    this.waiting.notifyAll()
  }

  private close(): void {
    const reason = this.refusal("maybe")
    this.status.set({ _tag: "Closed", reason })
    this.ended.complete(Exit.succeed(reason))
  }
}
