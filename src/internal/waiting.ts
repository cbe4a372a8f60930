/** Ways to wait for a synchronous step of the core, none of which can lose a wake-up or a value. */
import * as Effect from "effect/Effect"

type Resume = (effect: Effect.Effect<void>) => void

/**
 * Wakes one fiber, and remembers a call that came while nobody waited. Whoever is woken looks again: the signal carries
 * nothing, so interrupting a waiter loses nothing.
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
    return Effect.sync(() => {
      this.waiter = undefined
    })
  })

  notify(): void {
    const waiter = this.waiter
    if (waiter === undefined) {
      this.raised = true
    } else {
      this.waiter = undefined
      waiter(Effect.void)
    }
  }
}

/** Wakes all fibers that wait; whether one has to wait at all is asked in the same step in which it is put down. */
export class WaitSet {
  private readonly waiters = new Set<Resume>()

  /** Waits for `notifyAll`, unless `ready` says that there is nothing to wait for. */
  waitUnless(ready: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (ready()) return resume(Effect.void)
      this.waiters.add(resume)
      return Effect.sync(() => {
        this.waiters.delete(resume)
      })
    })
  }

  notifyAll(): void {
    if (this.waiters.size === 0) return
    const waiters = [...this.waiters]
    this.waiters.clear()
    for (const resume of waiters) resume(Effect.void)
  }
}
