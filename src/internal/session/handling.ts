/** Handlers of `serve` that drain their own session: the drain must not wait for the handler that waits for the drain. */
import * as Effect from "effect/Effect"
import type { Connection } from "../../protocol/connection.js"
import type { StreamCore } from "../../protocol/streams/streamCore.js"
import { currentMark } from "../support/run.js"
import { WaitSet } from "../support/waiters.js"

/** Marks the fibers of one handler, and those that they fork. */
export class Handling {
  private hasPlace = true

  constructor(
    /** The session of the stream. */
    readonly connection: Connection,
    readonly stream: StreamCore,
    /** The handler in which this one's `serve` runs. */
    readonly outer: Handling | undefined,
    private readonly freePlace: () => void
  ) {}

  /** Lets the next stream have this handler's place: it has ended, or it waits for that stream. */
  givePlace(): void {
    if (!this.hasPlace) return
    this.hasPlace = false
    this.freePlace()
  }
}

/** The handlers of one session in which the current fiber runs. */
const handlingsOf = (connection: Connection, mark: object | undefined): ReadonlyArray<Handling> => {
  const found: Array<Handling> = []
  for (let at = handlingIn(mark); at !== undefined; at = at.outer) if (at.connection === connection) found.push(at)
  return found
}

export const handlingIn = (mark: object | undefined): Handling | undefined =>
  mark instanceof Handling ? mark : undefined

/** The handlers of one session that wait in `drain`. */
export class DrainingHandlers {
  private readonly calls = new Set<ReadonlyArray<Handling>>()
  private readonly waiting = new WaitSet()

  constructor(private readonly connection: Connection) {}

  /**
   * The handlers whose streams a drain that the current fiber calls must not wait for. A handler whose stream has ended
   * is none of them: nothing waits for it.
   */
  readonly ofFiber: Effect.Effect<ReadonlyArray<Handling>> = Effect.map(currentMark, (mark) =>
    handlingsOf(this.connection, mark).filter(({ stream }) => this.connection.isLive(stream))
  )

  /** Waits until only streams are open whose handlers wait here. */
  awaitOthers(own: ReadonlyArray<Handling>): Effect.Effect<void> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        this.calls.add(own)
        for (const handling of own) handling.givePlace()
        // the others may have waited only for this handler
        this.check()
      }),
      () => this.waiting.waitUnless(() => this.areAlone),
      () => Effect.sync(() => this.calls.delete(own))
    )
  }

  /** Wakes the handlers if no other stream is left. `SessionState` calls it after each step. */
  check(): void {
    if (this.calls.size > 0 && this.areAlone) this.waiting.notifyAll()
  }

  private get areAlone(): boolean {
    const own = new Set<StreamCore>()
    for (const call of this.calls) for (const { stream } of call) if (this.connection.isLive(stream)) own.add(stream)
    return this.connection.openStreams <= own.size
  }
}
