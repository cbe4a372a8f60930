/**
 * One connection and everything that waits for it. The core is touched in `step` alone: each change is one synchronous
 * step, whose events wake the fibers that wait for them before anything else can run.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as MutableQueue from "effect/MutableQueue"
import * as Runtime from "effect/Runtime"
import type { Scheduler } from "effect/Scheduler"
import * as Tracer from "effect/Tracer"
import type { FrameBatch } from "../FrameReader.js"
import type { SessionError } from "../MuxadoError.js"
import { StreamReset, TransportFailed } from "../MuxadoError.js"
import { Connection } from "../protocol/connection.js"
import type { ConnectionOptions } from "../protocol/options.js"
import type { SessionEnd } from "../protocol/end.js"
import type { Event } from "../protocol/event.js"
import { ErrorCode } from "../protocol/errorCode.js"
import type { Frame, InboundFrame } from "../protocol/frame.js"
import { Piece } from "../protocol/frame.js"
import type { StreamCore } from "../protocol/stream.js"
import type { TryWrite } from "./direct.js"
import { sessionError } from "./errors.js"
import { outsideScheduler } from "./outside.js"
import type { Restore } from "./restore.js"
import { Opening } from "./opening.js"
import { SessionTimer } from "./sessionTimer.js"
import { StreamHandle } from "./streamHandle.js"
import { Totals } from "./totals.js"
import { Signal, WaitSet } from "./waiting.js"

/** About how many bytes of streams go into one write: an urgent frame must not wait behind more. */
const BATCH = 256 * 1024

/** Up to this many bytes that wait are written without the writer's turn. */
const DIRECT = 8 * 1024

/** Takes streams of the peer as they come: `free` more, for now. */
export interface Server {
  free: number
  readonly start: (stream: StreamHandle) => void
}

type PingResult = Exit.Exit<number, SessionError | StreamReset>

export class SessionRuntime {
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
  tryWrite: TryWrite<Frame> | undefined = undefined

  readonly totals = new Totals()

  /** Live streams that have a handle. */
  private live = 0
  readonly opening = new Opening({
    open: (type) => this.step((connection) => connection.open(type)),
    opened: (stream) => {
      this.totals.opened++
      return this.track(stream)
    }
  })
  /** Streams of the peer that no server or `accept` has taken. */
  private readonly waiting: MutableQueue.MutableQueue<StreamHandle>
  private readonly servers = new Set<Server>()
  private readonly acceptors = new WaitSet()
  private readonly pings = new Map<number, (result: PingResult) => void>()
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
    this.waiting = MutableQueue.bounded(options.acceptBacklog)
    this.ended = deferreds.ended
    this.refusing = deferreds.refusing
    this.idle = deferreds.idle
    this.draining = deferreds.draining
  }

  static make(options: ConnectionOptions): Effect.Effect<SessionRuntime> {
    return Effect.gen(function* () {
      const clock = yield* Effect.clock
      const scheduler = yield* Effect.withFiberRuntime<Scheduler>((fiber) => Effect.succeed(fiber.currentScheduler))
      const runtime = yield* Effect.runtime<never>()
      const refusing = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<SessionEnd>()
      const idle = yield* Deferred.make<void>()
      const draining = yield* Deferred.make<SessionEnd>()
      return new SessionRuntime(options, clock, outsideScheduler(scheduler), detached(runtime), {
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
    this.announceDemand()
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

  private flush(tryWrite: TryWrite<Frame> | undefined): void {
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
        return this.offer(this.track(event.stream))
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
        return this.settlePing(event.nonce, Exit.succeed(event.roundTrip))
      case "PingLost":
        return this.settlePing(event.nonce, Exit.fail(pingError(event)))
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
        this.acceptors.notifyAll()
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
    const end = this.connection.refusal
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
    this.acceptors.notifyAll()
    this.opening.pump()
  }

  // --- accepting

  /** A server takes a stream in the step that announces it. Only a stream that no server takes waits in the queue. */
  private offer(handle: StreamHandle): void {
    for (const server of this.servers) {
      if (server.free > 0) return this.start(server, handle)
    }
    // it can only be full if a server has gone that would have taken the stream
    if (!MutableQueue.offer(this.waiting, handle)) return handle.refuse()
    this.acceptors.notifyAll()
  }

  private start(server: Server, handle: StreamHandle): void {
    server.free--
    this.connection.accept(handle.core)
    server.start(handle)
  }

  /** Gives every stream to `server` while it is free, those that wait first. */
  subscribe(server: Server): void {
    this.servers.add(server)
    this.serve(server)
  }

  unsubscribe(server: Server): void {
    this.servers.delete(server)
    this.announceDemand()
  }

  /** A handler is done. */
  release(server: Server): void {
    server.free++
    if (this.servers.has(server)) this.serve(server)
  }

  private serve(server: Server): void {
    while (server.free > 0) {
      const handle = this.takeWaiting()
      if (handle === undefined) break
      this.start(server, handle)
    }
    this.announceDemand()
  }

  /** The core must know before a burst comes how much of it will be taken at once. */
  private announceDemand(): void {
    let demand = 0
    for (const server of this.servers) demand += server.free
    this.connection.demand(demand)
  }

  /** Takes the stream that has waited longest. */
  takeWaiting(): StreamHandle | undefined {
    const handle = MutableQueue.poll(this.waiting, undefined)
    if (handle !== undefined) this.step((connection) => connection.accept(handle.core))
    return handle
  }

  /** Takes the next stream of the peer; the caller is uninterruptible, and `restore` is its own. */
  accept(restore: Restore): Effect.Effect<StreamHandle, SessionError> {
    return Effect.suspend(() => {
      const next = this.takeWaiting()
      if (next !== undefined) return Effect.succeed(next)
      if (this.connection.refusal !== undefined) return Effect.fail(this.error("maybe"))
      return Effect.zipRight(
        restore(this.acceptors.waitUnless(() => !this.noneWaiting || this.connection.refusal !== undefined)),
        this.accept(restore)
      )
    })
  }

  private get noneWaiting(): boolean {
    return MutableQueue.isEmpty(this.waiting)
  }

  /** Nothing will take the streams that wait: refused, the peer may try them elsewhere. */
  refuseWaiting(): void {
    for (let handle = this.takeWaiting(); handle !== undefined; handle = this.takeWaiting()) {
      handle.refuse()
    }
  }

  // --- heartbeats

  /** Sends a heartbeat and waits for its echo: the round trip in milliseconds. */
  ping(nonce: number): Effect.Effect<number, SessionError | StreamReset> {
    return Effect.async<number, SessionError | StreamReset>((resume) => {
      this.pings.set(nonce, resume)
      if (!this.step((connection) => connection.ping(nonce, this.now()))) {
        this.settlePing(nonce, Exit.fail(this.error("no")))
      }
      return Effect.sync(() => {
        this.pings.delete(nonce)
      })
    })
  }

  private settlePing(nonce: number, result: PingResult): void {
    const resume = this.pings.get(nonce)
    this.pings.delete(nonce)
    resume?.(result)
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

const pingError = (event: Extract<Event, { _tag: "PingLost" }>): SessionError | StreamReset =>
  event.failure._tag === "SessionEnded"
    ? sessionError(event.failure.end, event.failure.processed)
    : new StreamReset({ ...event.failure, streamId: event.streamId })
