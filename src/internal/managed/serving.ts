/** Accepts and serves the streams of all sessions of a managed session, also of later ones. */
import * as Effect from "effect/Effect"
import type { SessionError } from "../../MuxadoError.js"
import type { Acceptors } from "../session/acceptors.js"
import type { AcceptSource, Server } from "../session/acceptSource.js"
import type { StreamHandle } from "../stream/streamHandle.js"
import type { Restore } from "../support/restore.js"
import { WaitSet } from "../support/waiters.js"

/** What serving needs of the managed session. */
interface Owner {
  /** The program serves or accepts streams: a slot that is `Idle` connects. */
  readonly want: () => void
  /** Why no more streams come; `undefined` while they may come. */
  readonly refusal: () => SessionError | undefined
}

export class Serving implements AcceptSource {
  private readonly sources = new Set<Acceptors>()
  private readonly servers = new Set<Server>()
  private readonly acceptors = new WaitSet()
  /** The fibers that wait in `accept`. */
  private fibers = 0

  constructor(private readonly owner: Owner) {}

  /** Whether the program serves or accepts streams. */
  get isWanted(): boolean {
    return this.servers.size > 0 || this.fibers > 0
  }

  // --- sessions

  /** A session begins: its streams go to the servers that run, and to the fibers that wait. */
  join(source: Acceptors): void {
    this.sources.add(source)
    source.delegate(this.fibers, () => this.acceptors.notifyAll())
    for (const server of this.servers) source.subscribe(server)
    // streams that arrived together with the answer to the first heartbeat have woken no fiber
    if (source.hasUnserved) this.acceptors.notifyAll()
  }

  leave(source: Acceptors): void {
    this.sources.delete(source)
  }

  /** No more streams come: the fibers in `accept` fail. */
  close(): void {
    this.acceptors.notifyAll()
  }

  // --- `serve`

  subscribe(server: Server): void {
    this.servers.add(server)
    for (const source of this.sources) source.subscribe(server)
    this.owner.want()
  }

  unsubscribe(server: Server): void {
    this.servers.delete(server)
    for (const source of this.sources) source.unsubscribe(server)
  }

  release(server: Server): void {
    server.free++
    for (const source of this.sources) source.giveWaiting(server)
  }

  // --- `accept`

  /** As `Acceptors.accept`, for the streams of all sessions. */
  accept(restore: Restore): Effect.Effect<StreamHandle, SessionError> {
    return Effect.suspend(() => this.acceptNow(restore))
  }

  private acceptNow(restore: Restore): Effect.Effect<StreamHandle, SessionError> {
    for (const source of this.sources) {
      const stream = source.takeUnserved()
      if (stream !== undefined) return Effect.succeed(stream)
    }
    const refusal = this.owner.refusal()
    if (refusal !== undefined) return Effect.fail(refusal)
    this.wait(1)
    const woken = this.acceptors.waitUnless(() => this.owner.refusal() !== undefined || this.hasUnserved)
    return Effect.zipRight(
      Effect.onInterrupt(restore(woken), () => Effect.sync(() => this.wait(-1))),
      Effect.suspend(() => {
        const next = this.acceptNow(restore)
        // after it has taken its stream: the session may refuse a stream that still waits without a fiber
        this.wait(-1)
        return next
      })
    )
  }

  private get hasUnserved(): boolean {
    for (const source of this.sources) if (source.hasUnserved) return true
    return false
  }

  /**
   * The number of fibers in `accept` changes. Each session counts them: it refuses a stream without a `serve` only if
   * none waits.
   */
  private wait(fibers: 1 | -1): void {
    this.fibers += fibers
    for (const source of this.sources) source.fibersChanged(fibers)
    if (fibers > 0) this.owner.want()
  }
}
