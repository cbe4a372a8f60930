/**
 * One connection, and the fibers that wait for it. Only `step` changes the core. Each change is one synchronous step,
 * and its events wake the waiting fibers before other code can run.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { FrameBatch } from "../transport/frameReaderService.js"
import type { Processed, SessionError, TransportFailed } from "../../MuxadoError.js"
import { Connection } from "../../protocol/connection.js"
import type { SessionEnd } from "../../protocol/endReason.js"
import type { Event } from "../../protocol/events.js"
import type { ConnectionOptions } from "../../protocol/options.js"
import type { StreamCore } from "../../protocol/streams/streamCore.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { InboundFrame } from "../../protocol/wire/frame.js"
import { StreamHandle } from "../stream/streamHandle.js"
import { millisOf } from "../support/clock.js"
import { Runner } from "../support/run.js"
import { Once } from "../support/waiters.js"
import { Acceptors } from "./acceptors.js"
import type { Handling } from "./handling.js"
import { DrainingHandlers } from "./handling.js"
import { OpenQueue } from "./openQueue.js"
import { Pings } from "./pings.js"
import { SessionTotals } from "./stats.js"
import { SessionTimer } from "./timing.js"
import { sessionError } from "../stream/toError.js"
import { Writing } from "./writing.js"

export class SessionState {
  readonly connection: Connection
  readonly ended = new Once<SessionEnd>()
  /** Completes when the session accepts no more streams: this side drains, or the session has ended. */
  readonly refusing = new Once<void>()
  /** Completes when a draining session has nothing left to do, or when the session has ended. */
  readonly idle = new Once<void>()
  /** Completes with the reason when one side begins to leave: a drain, a GOAWAY of the peer, or the end. */
  readonly draining = new Once<SessionEnd>()

  readonly totals = new SessionTotals()

  /** The number of live streams that have a handle. */
  private live = 0
  readonly opening = new OpenQueue({
    step: (f) => this.step(f),
    opened: (stream) => {
      this.totals.opened++
      return this.track(stream)
    }
  })
  readonly accepting: Acceptors
  readonly drainingHandlers: DrainingHandlers
  readonly pings = new Pings(
    (nonce) => this.connection.awaitsPong(nonce),
    (nonce) => this.step((connection) => connection.ping(nonce, this.now())),
    () => this.error("no")
  )
  readonly writing: Writing
  private dispatching = false
  private opensDue = false
  private timer: SessionTimer | undefined = undefined
  private suspected = false

  private constructor(
    options: ConnectionOptions,
    private readonly clock: Clock.Clock,
    private readonly runner: Runner
  ) {
    this.connection = new Connection(options, this.now())
    this.accepting = new Acceptors(this, options.acceptBacklog)
    this.drainingHandlers = new DrainingHandlers(this.connection)
    this.writing = new Writing(this)
  }

  static make(options: ConnectionOptions): Effect.Effect<SessionState> {
    return Effect.zipWith(
      Effect.clock,
      Runner.current(),
      // the span in which the session is made has ended when the session logs later
      (clock, runner) => new SessionState(options, clock, runner.outside.withoutSpan("unlinked"))
    )
  }

  /** Milliseconds, with fractions, of a monotonic clock. */
  now(): number {
    return millisOf(this.clock)
  }

  step<A>(f: (connection: Connection) => A): A {
    try {
      return f(this.connection)
    } finally {
      // also after an exception, because the step may already have changed other streams
      if (!this.dispatching) this.dispatch()
    }
  }

  private dispatch(): void {
    this.dispatching = true
    try {
      for (let events = this.connection.takeEvents(); events.length > 0; events = this.connection.takeEvents()) {
        for (const event of events) this.deliver(event)
        // only after the ended streams that freed the capacity have been removed
        if (this.opensDue) {
          this.opensDue = false
          this.opening.pump()
        }
      }
    } finally {
      this.dispatching = false
    }
    this.drainingHandlers.check()
    this.accepting.announceDemand()
    if (this.connection.suspicion !== undefined && !this.suspected) {
      this.suspected = true
      this.log(Effect.logWarning(`Are both sides of the session typed? ${this.connection.suspicion}`))
    }
    if (this.connection.hasFrames) this.writing.announce()
    this.timer?.arm()
  }

  /** Delivers an event. If that throws for a stream, only this stream is reset, and the next events are delivered. */
  private deliver(event: Event): void {
    try {
      this.on(event)
    } catch (error) {
      if (!("stream" in event)) throw error
      const { id } = event.stream
      this.log(Effect.logError(`Stream ${id} is reset with InternalError: one of its events threw`, Cause.die(error)))
      this.connection.reset(event.stream, ErrorCode.InternalError)
    }
  }

  /** Logs from code that does not run in a fiber. */
  log(line: Effect.Effect<void>): void {
    this.runner.fork(line)
  }

  /** Runs a task after all fibers that can run now. */
  schedule(task: () => void): void {
    this.runner.schedule(task)
  }

  private on(event: Event): void {
    switch (event._tag) {
      case "Opened":
        if (this.accepting.offer(this.track(event.stream))) this.totals.accepted++
        return
      case "Readable":
        return event.stream.user?.wakeReaders()
      case "Writable":
        return event.stream.user?.pump()
      case "Failed":
        if (event.stream.user !== undefined && this.connection.refusal !== undefined) this.totals.lost++
        return this.untrack(event.stream)
      case "Finished":
        return this.untrack(event.stream)
      case "BytesLost":
        return this.log(
          Effect.logWarning(
            `Stream ${event.stream.id} is reset: the memory of its bytes was detached before they were sent or read ` +
              "(a transfer of the ArrayBuffer, or WebAssembly memory that grew)"
          )
        )
      case "OpenAvailable":
        this.opensDue = true
        return
      case "Pong":
        return this.pings.answered(event)
      case "PingLost":
        return this.pings.lost(event)
      case "GoneAway":
        this.leaves(this.connection.remoteEnd)
        return this.opening.pump()
      case "Idle":
        this.idle.complete(Exit.void)
        return
      case "Ended":
        this.leaves(event.end)
        this.refusing.complete(Exit.void)
        this.idle.complete(Exit.void)
        this.accepting.notifyAll()
        this.opening.pump()
        // last, because the fiber that closes the transport waits for it
        this.ended.complete(Exit.succeed(event.end))
        return
    }
  }

  /** Completes `draining` with the reason why one side leaves. */
  private leaves(end: SessionEnd | undefined): void {
    if (end !== undefined) this.draining.complete(Exit.succeed(end))
  }

  private track(stream: StreamCore): StreamHandle {
    const handle = new StreamHandle(stream, this)
    stream.user = handle
    this.totals.alive(++this.live)
    return handle
  }

  private untrack(stream: StreamCore): void {
    const { user } = stream
    if (user === undefined) return
    stream.user = undefined
    this.live--
    user.ended()
  }

  /** The error of a call on a session that ends or has ended. */
  error(processed: Processed): SessionError {
    const end = this.connection.refusal ?? this.connection.remoteEnd
    return sessionError(end ?? { _tag: "Closed" }, processed)
  }

  // --- called by the fibers that `shutdown.ts` starts

  /** Records that bytes have arrived, and whether they end inside a frame. */
  heard({ midFrame }: FrameBatch): void {
    this.connection.heard(midFrame, this.now())
  }

  /** Receives some frames of a batch in one step. */
  receive(frames: ReadonlyArray<InboundFrame>, from: number, to: number): void {
    this.step((connection) => {
      for (let i = from; i < to; i++) {
        const frame = frames[i]
        if (frame === undefined) break
        this.totals.received(frame)
        connection.receive(frame)
      }
    })
  }

  transportFailed(error: TransportFailed): void {
    const { cause, endpoint, initiator, reason } = error
    this.step((connection) =>
      connection.transportFailed({ _tag: "TransportFailed", reason, cause, endpoint, initiator })
    )
  }

  /** Starts the timer, which calls `Connection.tick` at each deadline. `failed` is called if the timer fails. */
  startTimer(failed: (cause: Cause.Cause<never>) => void): SessionTimer {
    const timer = new SessionTimer(
      {
        nextDeadline: () => this.connection.nextDeadline(),
        now: () => this.now(),
        tick: (nonce) => this.step((connection) => connection.tick(this.now(), nonce)),
        failed
      },
      this.runner
    )
    this.timer = timer
    timer.arm()
    return timer
  }

  /** Waits until a drain has nothing left to do but to wait for these handlers, which call it. */
  drainBut(own: ReadonlyArray<Handling>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.beginDraining()
      return this.drainingHandlers.awaitOthers(own)
    })
  }

  beginDraining(): void {
    this.step((connection) => connection.drain())
    this.leaves(this.connection.refusal)
    this.refusing.complete(Exit.void)
    this.accepting.notifyAll()
    this.opening.pump()
  }
}
