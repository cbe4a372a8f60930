/**
 * One connection and everything that waits for it. The core is touched in `step` alone: each change is one synchronous
 * step, whose events wake the fibers that wait for them before anything else can run.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type { Scheduler } from "effect/Scheduler"
import * as Tracer from "effect/Tracer"
import type { FrameBatch } from "../../FrameReader.js"
import type { FastPath as WriterFastPath } from "../../FrameWriter.js"
import type { SessionError } from "../../MuxadoError.js"
import { TransportFailed } from "../../MuxadoError.js"
import { Connection } from "../../protocol/connection.js"
import type { ConnectionOptions } from "../../protocol/options.js"
import type { SessionEnd } from "../../protocol/endReason.js"
import type { Event } from "../../protocol/events.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { Frame, InboundFrame } from "../../protocol/wire/frame.js"
import { Piece } from "../../protocol/wire/frame.js"
import type { StreamCore } from "../../protocol/streams/streamCore.js"
import { AcceptQueue } from "./acceptQueue.js"
import { sessionError } from "./toError.js"
import { outsideScheduler } from "../support/outside.js"
import { OpenQueue } from "./openQueue.js"
import { Pings } from "./pings.js"
import { SessionTimer } from "./timing.js"
import { StreamHandle } from "../stream/streamHandle.js"
import { SessionTotals } from "./stats.js"
import { Signal } from "../support/waiters.js"

/** About how many bytes of streams go into one write: an urgent frame must not wait behind more. */
const BATCH = 256 * 1024

/** Up to this many bytes that wait are written without the writer's turn. */
const DIRECT = 8 * 1024

export class SessionState {
  readonly connection: Connection
  /** There are frames to write. */
  readonly output = new Signal()
  readonly ended: Deferred.Deferred<SessionEnd>
  /** Done once the session takes no more streams: a drain here, or the end. */
  readonly refusing: Deferred.Deferred<void>
  /** While draining: nothing is left to do. */
  readonly idle: Deferred.Deferred<void>
  /** One of the sides leaves. */
  readonly draining: Deferred.Deferred<SessionEnd>
  /** Writes frames without a fiber's turn, where the transport can. */
  tryWrite: WriterFastPath["tryWrite"] | undefined = undefined

  readonly totals = new SessionTotals()

  /** Live streams that have a handle. */
  private live = 0
  readonly opening = new OpenQueue({
    open: (type) => this.step((connection) => connection.open(type)),
    opened: (stream) => {
      this.totals.opened++
      return this.track(stream)
    }
  })
  readonly accepting: AcceptQueue
  readonly pings = new Pings(
    (nonce) => this.step((connection) => connection.ping(nonce, this.now())),
    () => this.error("no")
  )
  private dispatching = false
  private opensDue = false
  private flushDue = false
  private unsent: ReadonlyArray<Frame> | undefined = undefined
  private timer: SessionTimer | undefined = undefined
  private suspected = false

  private constructor(
    options: ConnectionOptions,
    private readonly clock: Clock.Clock,
    private readonly scheduler: Scheduler,
    private readonly runtime: Runtime.Runtime<never>,
    deferreds: {
      readonly ended: Deferred.Deferred<SessionEnd>
      readonly refusing: Deferred.Deferred<void>
      readonly idle: Deferred.Deferred<void>
      readonly draining: Deferred.Deferred<SessionEnd>
    }
  ) {
    this.connection = new Connection(options, this.now())
    this.accepting = new AcceptQueue(this, options.acceptBacklog)
    this.ended = deferreds.ended
    this.refusing = deferreds.refusing
    this.idle = deferreds.idle
    this.draining = deferreds.draining
  }

  static make(options: ConnectionOptions): Effect.Effect<SessionState> {
    return Effect.gen(function* () {
      const clock = yield* Effect.clock
      const scheduler = yield* Effect.withFiberRuntime<Scheduler>((fiber) => Effect.succeed(fiber.currentScheduler))
      const runtime = yield* Effect.runtime<never>()
      const refusing = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<SessionEnd>()
      const idle = yield* Deferred.make<void>()
      const draining = yield* Deferred.make<SessionEnd>()
      return new SessionState(options, clock, outsideScheduler(scheduler), detached(runtime), {
        ended,
        refusing,
        idle,
        draining
      })
    })
  }

  /** Milliseconds, with fractions, of a clock that only goes forward. */
  now(): number {
    return Number(this.clock.unsafeCurrentTimeNanos()) / 1e6
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
    if (this.connection.hasFrames) this.announceOutput()
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
    Runtime.runFork(this.runtime)(line)
  }

  /** Runs a task after the fibers that can go on now. */
  schedule(task: () => void): void {
    this.scheduler.scheduleTask(task, 0)
  }

  /** Wakes the writer, or does its work: after all who have something to write now, so that it goes as one. */
  private announceOutput(): void {
    if (this.tryWrite === undefined || !this.output.isAwaited) return this.output.notify()
    if (this.flushDue) return
    this.flushDue = true
    this.schedule(() => {
      this.flushDue = false
      try {
        this.flush(this.tryWrite)
      } catch (error) {
        this.transportFailed(
          new TransportFailed({ reason: "Write", cause: error, initiator: "Local", processed: "maybe" })
        )
      }
    })
  }

  private flush(tryWrite: WriterFastPath["tryWrite"] | undefined): void {
    // bulk is the writer's: it waits for the transport
    if (tryWrite === undefined || !this.output.isAwaited || this.connection.queuedBytes > DIRECT) {
      return this.output.notify()
    }
    const frames = this.takeFrames()
    if (frames.length === 0) return
    if (tryWrite(frames)) return this.step((connection) => connection.written())
    // the writer comes later, and the application may have detached their memory by then
    this.unsent = frames.map(withOwnPayload)
    this.output.notify()
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
        return Deferred.unsafeDone(this.idle, Effect.void)
      case "Ended":
        Deferred.unsafeDone(this.ended, Effect.succeed(event.end))
        Deferred.unsafeDone(this.refusing, Effect.void)
        Deferred.unsafeDone(this.idle, Effect.void)
        this.leaves(event.end)
        this.accepting.notifyAll()
        return this.opening.pump()
    }
  }

  /** One of the sides leaves, and this is why. */
  private leaves(end: SessionEnd | undefined): void {
    if (end !== undefined) Deferred.unsafeDone(this.draining, Effect.succeed(end))
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
  error(processed: "no" | "maybe"): SessionError {
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

  /** Frames that were taken, and that the transport did not take at once. */
  takeUnsent(): ReadonlyArray<Frame> | undefined {
    const { unsent } = this
    this.unsent = undefined
    return unsent
  }

  takeFrames(): ReadonlyArray<Frame> {
    const frames = this.step((connection) => connection.takeFrames(BATCH, this.now()))
    for (const frame of frames) this.totals.sent(frame)
    return frames
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
      this.runtime,
      this.scheduler
    )
    this.timer = timer
    timer.arm()
    return timer
  }

  beginDraining(): void {
    this.step((connection) => connection.drain())
    Deferred.unsafeDone(this.refusing, Effect.void)
    this.leaves(this.connection.refusal)
    this.accepting.notifyAll()
    this.opening.pump()
  }
}

/** Without the span in which the session was made, which is over when something is logged. */
const detached = ({ context, fiberRefs, runtimeFlags }: Runtime.Runtime<never>): Runtime.Runtime<never> =>
  Runtime.make({ context: Context.omit(Tracer.ParentSpan)(context), fiberRefs, runtimeFlags })

const withOwnPayload = (frame: Frame): Frame =>
  frame._tag === "Data"
    ? new Piece(
        frame.streamId,
        frame.syn,
        frame.fin,
        frame.length,
        new Uint8Array(frame.payload),
        frame.first,
        frame.last
      )
    : frame
