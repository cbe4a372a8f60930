/**
 * Distributes the streams that the peer opens. A free server (`serve`) takes a stream of its types in the step that
 * announces it. Streams that no server takes wait for fibers that call `accept`, or are refused.
 */
import * as Effect from "effect/Effect"
import type { Processed, SessionError } from "../../MuxadoError.js"
import type { Connection } from "../../protocol/connection.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { Restore } from "../support/restore.js"
import type { StreamHandle } from "../stream/streamHandle.js"
import { WaitSet } from "../support/waiters.js"
import type { AcceptSource, Server } from "./acceptSource.js"
import { Routes } from "./routes.js"

/** The parts of the session that accepting needs. */
interface Accepting {
  readonly connection: Connection
  readonly step: <A>(f: (connection: Connection) => A) => A
  /** Runs a task after all fibers that can run now. */
  readonly schedule: (task: () => void) => void
  readonly error: (processed: Processed) => SessionError
}

export class Acceptors implements AcceptSource {
  private readonly routes = new Routes()
  private readonly acceptors = new WaitSet()
  /** The fibers that wait in `accept`, or were woken there and have not run yet. */
  private fibers = 0
  private settlingDue = false
  /** Wakes the fibers in the `accept` of a managed session, which takes streams of several sessions. */
  private wakeManaged: (() => void) | undefined = undefined

  constructor(
    private readonly session: Accepting,
    private readonly acceptBacklog: number
  ) {}

  /**
   * Adds a new stream. A free server takes it in this step. If no server takes its type and no fiber waits in `accept`,
   * it is refused. Otherwise it waits. Returns false if it was refused.
   */
  offer(handle: StreamHandle): boolean {
    const route = this.routes.find(handle.type)
    if (route !== undefined) {
      for (const server of route.servers) {
        if (server.free > 0) {
          server.free--
          this.session.connection.accept(handle.core)
          server.start(handle)
          return true
        }
      }
    } else if (this.routes.hasServers && this.routes.isSettled && this.fibers === 0) {
      handle.refuse()
      return false
    }
    if (this.routes.waiting >= this.acceptBacklog + this.routes.unsettledDemand) {
      handle.refuse(ErrorCode.AcceptQueueFull)
      return false
    }
    this.session.connection.defer(handle.core)
    this.routes.wait(handle)
    this.wakeAcceptors()
    return true
  }

  /** Wakes the fibers that wait in `accept`. They fail if the session accepts no more streams. */
  notifyAll(): void {
    this.acceptors.notifyAll()
  }

  subscribe(server: Server): void {
    this.routes.add(server)
    // a `serve` that starts while the session drains would end before it has its first stream
    if (this.isOver) this.routes.settle()
    this.settleLater()
    this.giveWaiting(server)
  }

  unsubscribe(server: Server): void {
    this.routes.remove(server)
    this.settleLater()
    this.wakeAcceptors()
    this.announceDemand()
  }

  release(server: Server): void {
    server.free++
    this.giveWaiting(server)
  }

  /** Gives waiting streams to `server` while it is free. Call it when `free` has grown. */
  giveWaiting(server: Server): void {
    while (server.free > 0) {
      const handle = this.routes.takeFor(server)
      if (handle === undefined) break
      // before the step, because the step may run a fiber that reads `free`
      server.free--
      this.accepted(handle)
      server.start(handle)
    }
    this.announceDemand()
  }

  /** Tells the core how many streams the servers can take at once, so that a burst does not overflow the backlog. */
  announceDemand(): void {
    this.session.connection.setAcceptCapacity(this.routes.demand)
  }

  private wakeAcceptors(): void {
    if (!this.routes.hasUnserved) return
    this.acceptors.notifyAll()
    this.wakeManaged?.()
    this.settleLater()
  }

  /**
   * Decides about the streams that no server with types takes, after all fibers that can run now: a program that starts
   * two servers one after the other has started both, and a fiber that was woken in `accept` has taken its stream.
   */
  private settleLater(): void {
    // without any server, streams wait for the next one
    if (this.settlingDue || !this.routes.hasServers) return
    this.settlingDue = true
    this.session.schedule(() => {
      this.settlingDue = false
      this.settle()
    })
  }

  private settle(): void {
    if (this.routes.settle()) {
      for (const server of this.routes.servers) this.giveWaiting(server)
      if (this.fibers > 0) return this.wakeAcceptors()
    }
    if (!this.routes.hasServers || !this.routes.isSettled) return
    for (const handle of this.routes.takeUnservedBeyond(this.fibers)) handle.refuse()
  }

  private accepted(handle: StreamHandle): void {
    this.session.step((connection) => connection.accept(handle.core))
  }

  /**
   * Takes the next stream that no server takes, or waits for it. The caller runs in an uninterruptible region, and
   * `restore` comes from that region.
   */
  accept(restore: Restore): Effect.Effect<StreamHandle, SessionError> {
    return Effect.suspend(() => this.acceptNow(restore))
  }

  private acceptNow(restore: Restore): Effect.Effect<StreamHandle, SessionError> {
    const next = this.takeUnserved()
    if (next !== undefined) return Effect.succeed(next)
    if (this.isOver) return Effect.fail(this.session.error("maybe"))
    this.fibersChanged(1)
    const waiting = this.acceptors.waitUnless(() => this.routes.hasUnserved || this.isOver)
    const left = Effect.sync(() => {
      this.fibersChanged(-1)
    })
    return Effect.zipRight(
      Effect.onInterrupt(restore(waiting), () => left),
      Effect.suspend(() => {
        // in the operation that takes the stream: no step may count this fiber no more while its stream still waits
        this.fibers--
        return this.acceptNow(restore)
      })
    )
  }

  // --- for the `accept` of a managed session

  /** From now on, `fibers` more fibers wait for unserved streams, and `wake` wakes them. */
  delegate(fibers: number, wake: () => void): void {
    this.fibers += fibers
    this.wakeManaged = wake
  }

  /** Whether a stream waits that no server takes. */
  get hasUnserved(): boolean {
    return this.routes.hasUnserved
  }

  /** Takes the stream that has waited longest, and that no server takes. */
  takeUnserved(): StreamHandle | undefined {
    const next = this.routes.takeUnserved()
    if (next !== undefined) this.accepted(next)
    return next
  }

  /** The number of fibers in `accept` has changed. */
  fibersChanged(by: 1 | -1): void {
    this.fibers += by
    // a fiber that leaves may have been woken for a stream that nothing takes now
    if (by < 0) this.wakeAcceptors()
  }

  /** Refuses all waiting streams, because nothing will accept them. The peer may open them on another session. */
  refuseAll(): void {
    for (const handle of this.routes.takeAll()) handle.refuse()
  }

  private get isOver(): boolean {
    return this.session.connection.refusal !== undefined
  }
}
