/**
 * The end of a drain: no stream is left, and the transport has taken everything.
 *
 * @since 0.1.0
 */
import type { EventQueue } from "./events.js"
import type { Lifecycle } from "./lifecycle.js"
import type { Liveness } from "./liveness.js"
import type { Scheduler } from "./sending/scheduler.js"
import type { StreamTable } from "./streams/streamTable.js"

interface Owners {
  readonly events: EventQueue
  readonly lifecycle: Lifecycle
  readonly liveness: Liveness
  readonly scheduler: Scheduler
  readonly table: StreamTable
}

/**
 * Sees when a session that drains has nothing left to do.
 *
 * @since 0.1.0
 * @category models
 */
export class Draining {
  constructor(private readonly owners: Owners) {}

  /** Emits `Idle` once, if the session drains and nothing is left. */
  announceEnd(): void {
    const { events, lifecycle } = this.owners
    if (!lifecycle.awaitsIdle || !this.isIdle) return
    lifecycle.seeIdle()
    events.emit({ _tag: "Idle" })
  }

  private get isIdle(): boolean {
    const { liveness, scheduler, table } = this.owners
    // a batch that the transport has not accepted is not sent yet
    return table.inboundCount + table.outboundCount === 0 && !scheduler.hasStreams && !liveness.isWriting
  }
}
