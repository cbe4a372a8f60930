/**
 * Sees what a managed session does in the step in which it does it. `status.changes` skips states for a slow reader,
 * and `events` begins after the first attempt. Also lets stream ids run out early.
 */
import type { ManagedSession } from "effect-muxado"
import { Live } from "../../../src/internal/managed/live.js"
import { Managed } from "../../../src/internal/managed/managed.js"
import { StatusRef } from "../../../src/internal/managed/status.js"

type StatusSource = ManagedSession.ManagedSessionService["status"]

export interface Observer {
  readonly event: (source: StatusSource, event: ManagedSession.Event) => void
  readonly status: (source: StatusSource, before: ManagedSession.Status, after: ManagedSession.Status) => void
  /** A stream with this id is one of the last; `undefined` for the true limit. */
  readonly lastIds: number | undefined
}

/** Calls the observer for everything that managed sessions do while `run` runs. */
export const observing = <A>(observer: Observer, run: () => A): A => {
  /* eslint-disable @typescript-eslint/unbound-method -- each is called with its object, and put back */
  const { emit } = Managed.prototype
  const { set } = StatusRef.prototype
  const { isNearlyExhausted } = Live.prototype
  /* eslint-enable @typescript-eslint/unbound-method */
  Managed.prototype.emit = function (event) {
    observer.event(this.status.subscribable, event)
    return emit.call(this, event)
  }
  StatusRef.prototype.set = function (status) {
    const before = this.value
    set.call(this, status)
    if (this.value !== before) observer.status(this.subscribable, before, this.value)
  }
  Live.prototype.isNearlyExhausted = function (id) {
    return isNearlyExhausted.call(this, id) || (observer.lastIds !== undefined && id >= observer.lastIds)
  }
  try {
    return run()
  } finally {
    Managed.prototype.emit = emit
    StatusRef.prototype.set = set
    Live.prototype.isNearlyExhausted = isNearlyExhausted
  }
}
