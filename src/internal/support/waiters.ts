/**
 * The four ways to wait in this library. None of them loses a wake-up or a value.
 *
 * - `Signal`: one fiber waits for "look again", and a call that comes while it does not wait is remembered.
 * - `WaitSet`: many fibers wait, a condition is asked when they begin, all look again when they are woken.
 * - `Latch`: many fibers wait until a gate is open, and it may be closed again.
 * - `Once`: many fibers wait for one outcome that never changes.
 *
 * Whoever wakes changes its own state first and wakes last: a scheduler may run the woken fiber before the call
 * returns.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Resume } from "./park.js"
import { park } from "./park.js"
import type { AnyFiber } from "./run.js"
import { currentFiber, isDone } from "./run.js"

/**
 * Wakes the one fiber that waits, and remembers a call that came while none did. The signal carries nothing: the fiber
 * that is woken looks again.
 *
 * An interrupted waiter stays registered until the next call. That call is remembered too: only a fiber that goes on
 * takes it.
 */
export class Signal {
  private raised = false
  private waiter: Resume<void> | undefined = undefined
  private readonly lower = Effect.sync(() => {
    this.raised = false
  })

  readonly wait: Effect.Effect<void> = park<void>((resume) => {
    if (this.raised) {
      this.raised = false
      return resume(Effect.void)
    }
    this.waiter = resume
  })

  /** Whether a fiber waits. */
  get isAwaited(): boolean {
    return this.waiter !== undefined
  }

  notify(): void {
    const { waiter } = this
    this.raised = true
    this.waiter = undefined
    if (waiter !== undefined) waiter(this.lower)
  }
}

/** From this many waiters on, those whose fibers have ended are looked for. */
const FIRST_SEARCH = 16

/**
 * Wakes all fibers that wait. `ready` is asked in the same step in which a fiber is registered.
 *
 * Interrupted waiters stay registered: removing them costs more than the wait, and waking them again does nothing. They
 * are removed when all are woken, when they wait again, or, once their fibers have ended, when there are twice as many.
 */
export class WaitSet {
  // nearly always there is but one
  private fiber: AnyFiber | undefined = undefined
  private wake: (() => void) | undefined = undefined
  private others: Map<AnyFiber, () => void> | undefined = undefined
  private searchAt = FIRST_SEARCH

  /** Waits for `notifyAll`, unless `ready` says that there is nothing to wait for. */
  waitUnless(ready: () => boolean): Effect.Effect<void> {
    return this.awaitThen(ready, Effect.void)
  }

  /** The same, and goes on with `next`; `waiting` is called with the fiber if it has to wait. */
  awaitThen<A, E>(
    ready: () => boolean,
    next: Effect.Effect<A, E>,
    waiting?: (fiber: AnyFiber) => void
  ): Effect.Effect<A, E> {
    return park<A, E>((resume) => {
      if (ready()) return resume(next)
      const fiber = currentFiber()
      if (fiber === undefined) throw new Error("a fiber that waits is the current one")
      waiting?.(fiber)
      const wake = () => resume(next)
      if (this.fiber === undefined || this.fiber === fiber || isDone(this.fiber)) {
        this.fiber = fiber
        this.wake = wake
      } else {
        this.others ??= new Map()
        this.others.set(fiber, wake)
        if (this.others.size >= this.searchAt) this.forgetEnded(this.others)
      }
    })
  }

  notifyAll(): void {
    const { others, wake } = this
    if (wake === undefined) return
    this.fiber = undefined
    this.wake = undefined
    this.others = undefined
    this.searchAt = FIRST_SEARCH
    wake()
    if (others !== undefined) for (const other of others.values()) other()
  }

  private forgetEnded(others: Map<AnyFiber, () => void>): void {
    for (const fiber of others.keys()) if (isDone(fiber)) others.delete(fiber)
    this.searchAt = Math.max(FIRST_SEARCH, 2 * others.size)
  }
}

/** A gate: fibers pass while it is open, and wait while it is closed. */
export class Latch {
  private readonly waiting = new Set<Resume<void>>()

  constructor(private opened: boolean) {}

  readonly await: Effect.Effect<void> = park<void>((resume) => {
    if (this.opened) return resume(Effect.void)
    this.waiting.add(resume)
    return Effect.sync(() => {
      this.waiting.delete(resume)
    })
  })

  open(): void {
    if (this.opened) return
    this.opened = true
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const resume of waiting) resume(Effect.void)
  }

  close(): void {
    this.opened = false
  }
}

/** An outcome that is there once, and for all who wait for it. */
export class Once<A, E = never> {
  private outcome: Exit.Exit<A, E> | undefined = undefined
  private readonly waiting = new Set<Resume<A, E>>()

  readonly await: Effect.Effect<A, E> = park<A, E>((resume) => {
    if (this.outcome !== undefined) return resume(this.outcome)
    this.waiting.add(resume)
    return Effect.sync(() => {
      this.waiting.delete(resume)
    })
  })

  get isDone(): boolean {
    return this.outcome !== undefined
  }

  /** The first outcome stays; false for a later one. */
  complete(outcome: Exit.Exit<A, E>): boolean {
    if (this.outcome !== undefined) return false
    this.outcome = outcome
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const resume of waiting) resume(outcome)
    return true
  }
}
