/** Ways to wait for a synchronous step of the core, none of which can lose a wake-up or a value. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

type Resume = (effect: Effect.Effect<void>) => void

/**
 * Wakes the one fiber that waits, and remembers a call that came while none did. The signal carries nothing: the fiber
 * that is woken looks again. An interrupted waiter stays registered until the next waits.
 */
export class Signal {
  private raised = false
  private waiter: Resume | undefined = undefined

  readonly wait: Effect.Effect<void> = Effect.async<void>((resume) => {
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
    if (waiter === undefined) {
      this.raised = true
    } else {
      this.waiter = undefined
      waiter(Effect.void)
    }
  }
}

export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

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
    return Effect.async<A, E>((resume) => {
      if (ready()) return resume(next)
      const fiber = Option.getOrThrow(Fiber.getCurrentFiber())
      waiting?.(fiber)
      const wake = () => resume(next)
      if (this.fiber === undefined || this.fiber === fiber || this.fiber.unsafePoll() !== null) {
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
    for (const fiber of others.keys()) if (fiber.unsafePoll() !== null) others.delete(fiber)
    this.searchAt = Math.max(FIRST_SEARCH, 2 * others.size)
  }
}
