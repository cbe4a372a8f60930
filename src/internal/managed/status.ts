/** The status of a managed session, for readers of any speed. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Subscribable from "effect/Subscribable"
import { WaitSet } from "../support/waiters.js"
import type { Status } from "./managedService.js"

/**
 * It keeps only the latest status. A `SubscriptionRef` would keep each status for each reader that has not read it.
 */
export class StatusRef {
  private version = 0
  private readonly readers = new WaitSet()

  constructor(private current: Status) {}

  get value(): Status {
    return this.current
  }

  set(status: Status): void {
    if (this.current._tag === "Closed" || same(this.current, status)) return
    this.current = status
    this.version++
    this.readers.notifyAll()
  }

  /** For programs: they can read it, and not write it. */
  readonly subscribable: Subscribable.Subscribable<Status> = Subscribable.make({
    get: Effect.sync(() => this.current),
    changes: Stream.unfoldEffect(-1, (seen: number) => this.after(seen))
  })

  /** The latest status, when it differs from the one with the number `seen`. `None` after `Closed`. */
  private after(seen: number): Effect.Effect<Option.Option<readonly [Status, number]>> {
    return Effect.zipRight(
      this.readers.waitUnless(() => this.version !== seen || this.current._tag === "Closed"),
      Effect.sync(() => (this.version === seen ? Option.none() : Option.some([this.current, this.version] as const)))
    )
  }
}

const same = (a: Status, b: Status): boolean => {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Reflect.get(a, key) === Reflect.get(b, key))
}
