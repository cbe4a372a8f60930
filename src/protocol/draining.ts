/**
 * The beginning of a drain, which is announced to the peer, and its end: no stream is left, and the transport has taken
 * everything.
 *
 * @since 0.1.0
 */
import type { EventQueue } from "./events.js"
import type { Lifecycle } from "./lifecycle.js"
import type { Liveness } from "./liveness.js"
import type { Scheduler } from "./sending/scheduler.js"
import type { StreamTable } from "./streams/streamTable.js"
import { ErrorCode } from "./wire/errorCode.js"

/** The text of the GOAWAY with which a drain begins. */
const ANNOUNCEMENT = "draining"

interface Owners {
  readonly events: EventQueue
  readonly lifecycle: Lifecycle
  readonly liveness: Liveness
  readonly scheduler: Scheduler
  readonly table: StreamTable
}

/**
 * The drain of one session.
 *
 * @since 0.1.0
 * @category models
 */
export class Draining {
  constructor(
    private readonly owners: Owners,
    private readonly isAnnounced: boolean
  ) {}

  /**
   * Accepts and opens no more streams, and says so with a GOAWAY, unless one was sent before. Without anything in
   * flight, the GOAWAY of the end follows at once, and is the only one. The announcement's text is not the reason of
   * this side (`Lifecycle.say`), so a reason that the application gives later is still sent.
   */
  begin(): void {
    const { lifecycle, scheduler, table } = this.owners
    if (!lifecycle.drain() || !this.isAnnounced || lifecycle.hasGoneAway || this.isIdle) return
    scheduler.setGoAway(lifecycle.goAwayFrame(table.highestRemote, ErrorCode.NoError, ANNOUNCEMENT), "Now")
  }

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
