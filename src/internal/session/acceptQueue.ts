/** Who takes the streams that the peer opens: servers, in the step that announces a stream, or fibers that accept. */
import * as Effect from "effect/Effect"
import type { Processed, SessionError } from "../../MuxadoError.js"
import type { Connection } from "../../protocol/connection.js"
import type { Restore } from "../support/restore.js"
import type { StreamHandle } from "../stream/streamHandle.js"
import { Queue } from "../support/queue.js"
import { WaitSet } from "../support/waiters.js"

/** Takes streams of the peer as they come: `free` more, for now. */
export interface Server {
  free: number
  readonly start: (stream: StreamHandle) => void
}

/** What accepting needs of its session. */
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

  /** A stream is there. A free server takes it in this step; only one that no server takes waits in the queue. */
  offer(handle: StreamHandle): void {
    for (const server of this.servers) {
      if (server.free > 0) {
        server.free--
        this.session.connection.accept(handle.core)
        return server.start(handle)
      }
    }
    // it can only be full if a server has gone that would have taken the stream
    if (this.waiting.size >= this.acceptBacklog) return handle.refuse()
    this.waiting.push(handle)
    this.acceptors.notifyAll()
  }

  /** The session takes no more streams: fibers that wait for one look again. */
  notifyAll(): void {
    this.acceptors.notifyAll()
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
      const handle = this.waiting.shift()
      if (handle === undefined) break
      // before the step, which may run a fiber that asks for a place
      server.free--
      this.accepted(handle)
      server.start(handle)
    }
    this.announceDemand()
  }

  /** The core must know before a burst comes how much of it will be taken at once. */
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

  /** Takes the next stream of the peer; the caller is uninterruptible, and `restore` is its own. */
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

  /** Nothing will take the streams that wait: refused, the peer may try them elsewhere. */
  refuseAll(): void {
    for (let handle = this.take(); handle !== undefined; handle = this.take()) handle.refuse()
  }

  private get isOver(): boolean {
    return this.session.connection.refusal !== undefined
  }
}
