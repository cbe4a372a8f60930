/**
 * One connection and everything that waits for it. The core is touched in `step` alone: each change is one synchronous
 * step, whose events wake the fibers that wait for them before anything else can run.
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
import { AcceptQueue } from "./acceptQueue.js"
import { OpenQueue } from "./openQueue.js"
import { Pings } from "./pings.js"
import { SessionTotals } from "./stats.js"
import { SessionTimer } from "./timing.js"
import { sessionError } from "../stream/toError.js"
import { Writing } from "./writing.js"

export class SessionState {
  readonly connection: Connection
  readonly ended = new Once<SessionEnd>()
  /** Done once the session takes no more streams: a drain here, or the end. */
  readonly refusing = new Once<void>()
  /** While draining: nothing is left to do. */
  readonly idle = new Once<void>()
  /** One of the sides leaves. */
  readonly draining = new Once<SessionEnd>()

  readonly totals = new SessionTotals()

  /** Live streams that have a handle. */
  private live = 0
  readonly opening = new OpenQueue({
    step: (f) => this.step(f),
    opened: (stream) => {
      this.totals.opened++
      return this.track(stream)
    }
  })
  readonly accepting: AcceptQueue
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
    this.accepting = new AcceptQueue(this, options.acceptBacklog)
    this.writing = new Writing(this)
  }

  static make(options: ConnectionOptions): Effect.Effect<SessionState> {
    return Effect.zipWith(
      Effect.clock,
      Runner.current(),
      // the span in which the session is made is over when something is logged
      (clock, runner) => new SessionState(options, clock, runner.outside.withoutSpan("unlinked"))
    )
  }

  /** Milliseconds, with fractions, of a clock that only goes forward. */
  now(): number {
    return millisOf(this.clock)
  }

  step<A>(f: (connection: Connection) => A): A {
    try {
      return f(this.connection)
    } finally {
      // even if it threw: what it had done by then concerns others
      if (!this.dispatching) this.dispatch()
    }
  }

  private dispatch(): void {
    this.dispatching = true
    try {
      for (let events = this.connection.takeEvents(); events.length > 0; events = this.connection.takeEvents()) {
        for (const event of events) this.deliver(event)
        // not before the streams that made room are taken out
        if (this.opensDue) {
          this.opensDue = false
          this.opening.pump()
        }
      }
    } finally {
      this.dispatching = false
    }
    this.accepting.announceDemand()
    if (this.connection.suspicion !== undefined && !this.suspected) {
      this.suspected = true
      this.log(Effect.logWarning(`Are both sides of the session typed? ${this.connection.suspicion}`))
    }
    if (this.connection.hasFrames) this.writing.announce()
    this.timer?.arm()
  }

  /** What fails for one stream ends that stream: the events behind it are those of others. */
  private deliver(event: Event): void {
    try {
      this.on(event)
    } catch (error) {
      if (!("stream" in event)) throw error
      this.log(Effect.logError(`Stream ${event.stream.id} is reset: it could not be served`, Cause.die(error)))
      this.connection.reset(event.stream, ErrorCode.InternalError)
    }
  }

  /** Logs outside of all fibers. */
  log(line: Effect.Effect<void>): void {
    this.runner.fork(line)
  }

  /** Runs a task after the fibers that can go on now. */
  schedule(task: () => void): void {
    this.runner.schedule(task)
  }

  private on(event: Event): void {
    switch (event._tag) {
      case "Opened":
        this.totals.accepted++
        return this.accepting.offer(this.track(event.stream))
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
            `Stream ${event.stream.id} is reset: the memory of its bytes was detached before the session had sent them, ` +
              "by a transfer of the ArrayBuffer or by WebAssembly memory that grew"
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
        // last: the fiber that closes the transport waits for it
        this.ended.complete(Exit.succeed(event.end))
        return
    }
  }

  /** One of the sides leaves, and this is why. */
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

  /** Why nothing more can be asked of the session. */
  error(processed: Processed): SessionError {
    const end = this.connection.refusal ?? this.connection.remoteEnd
    return sessionError(end ?? { _tag: "Closed" }, processed)
  }

  // --- what the driver fibers do

  /** Bytes arrived. */
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

  /** From now on the core is called when it wants to be; `failed` is called if that cannot go on. */
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

  beginDraining(): void {
    this.step((connection) => connection.drain())
    this.leaves(this.connection.refusal)
    this.refusing.complete(Exit.void)
    this.accepting.notifyAll()
    this.opening.pump()
  }
}
