/**
 * Distributes the streams that the peer opens. A free server (`serve`) takes a stream in the step that announces it.
 * The other streams wait for fibers that call `accept`.
 */
import * as Effect from "effect/Effect"
import type { Processed, SessionError } from "../../MuxadoError.js"
import type { Connection } from "../../protocol/connection.js"
import type { Restore } from "../support/restore.js"
import type { StreamHandle } from "../stream/streamHandle.js"
import { Queue } from "../support/queue.js"
import { WaitSet } from "../support/waiters.js"

/** A `serve` that runs. It can take `free` more streams now. */
export interface Server {
  free: number
  readonly start: (stream: StreamHandle) => void
}

/** The parts of the session that accepting needs. */
interface Accepting {
  readonly connection: Connection
  readonly step: <A>(f: (connection: Connection) => A) => A
  readonly error: (processed: Processed) => SessionError
}

export class AcceptQueue {
  /** Streams that neither a server nor a fiber has taken. */
  private readonly waiting = new Queue<StreamHandle>()
  private readonly servers = new Set<Server>()
  private readonly acceptors = new WaitSet()

  constructor(
    private readonly session: Accepting,
    private readonly acceptBacklog: number
  ) {}

  /** Adds a new stream. A free server takes it in this step. If no server is free, the stream waits in the queue. */
  offer(handle: StreamHandle): void {
    for (const server of this.servers) {
      if (server.free > 0) {
        server.free--
        this.session.connection.accept(handle.core)
        return server.start(handle)
      }
    }
    // the core refuses what exceeds the queue and the free servers: it is full only if a server has left since
    if (this.waiting.size >= this.acceptBacklog) return handle.refuse()
    this.waiting.push(handle)
    this.acceptors.notifyAll()
  }

  /** Wakes the fibers that wait in `accept`. They fail if the session accepts no more streams. */
  notifyAll(): void {
    this.acceptors.notifyAll()
  }

  /** Gives streams to `server` while it is free, the waiting ones first. */
  subscribe(server: Server): void {
    this.servers.add(server)
    this.serve(server)
  }

  unsubscribe(server: Server): void {
    this.servers.delete(server)
    this.announceDemand()
  }

  /** Says that a handler of `server` has ended. */
  release(server: Server): void {
    server.free++
    if (this.servers.has(server)) this.serve(server)
  }

  private serve(server: Server): void {
    while (server.free > 0) {
      const handle = this.waiting.shift()
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
    let demand = 0
    for (const server of this.servers) demand += server.free
    this.session.connection.setAcceptCapacity(demand)
  }

  /** Takes the stream that has waited longest. */
  private take(): StreamHandle | undefined {
    const handle = this.waiting.shift()
    if (handle !== undefined) this.accepted(handle)
    return handle
  }

  private accepted(handle: StreamHandle): void {
    this.session.step((connection) => connection.accept(handle.core))
  }

  /**
   * Takes the next stream of the peer, or waits for it. The caller runs in an uninterruptible region, and `restore`
   * comes from that region.
   */
  accept(restore: Restore): Effect.Effect<StreamHandle, SessionError> {
    return Effect.suspend(() => {
      const next = this.take()
      if (next !== undefined) return Effect.succeed(next)
      if (this.isOver) return Effect.fail(this.session.error("maybe"))
      return Effect.zipRight(
        restore(this.acceptors.waitUnless(() => this.waiting.size > 0 || this.isOver)),
        this.accept(restore)
      )
    })
  }

  /** Refuses all waiting streams, because nothing will accept them. The peer may open them on another session. */
  refuseAll(): void {
    for (let handle = this.take(); handle !== undefined; handle = this.take()) handle.refuse()
  }

  private get isOver(): boolean {
    return this.session.connection.refusal !== undefined
  }
}
