/**
 * Observing the tasks of fibers, by a scheduler above the program's own. Fibers that an observed fiber forks are
 * observed too, daemons included. Fibers that get another scheduler are not.
 */
import * as Effect from "effect/Effect"
import type { Scheduler } from "effect/Scheduler"
import type { AnyFiber } from "../../internal/support/run.js"
import { currentScheduler } from "../../internal/support/run.js"

/** What an observer is told of, or may change. */
export interface Observer {
  /** A fiber is about to run, or goes on with its next operation. */
  readonly onFiber?: ((fiber: AnyFiber) => void) | undefined
  /** A task is about to be scheduled: what is scheduled in its place. */
  readonly wrap?: ((task: () => void) => () => void) | undefined
}

/** Runs the effect, and observes it. */
export const observed = <A, E, R>(self: Effect.Effect<A, E, R>, observer: Observer): Effect.Effect<A, E, R> =>
  Effect.flatMap(currentScheduler, (base) => Effect.withScheduler(self, observedScheduler(base, observer)))

const observedScheduler = (base: Scheduler, { onFiber, wrap }: Observer): Scheduler => ({
  shouldYield: (fiber) => {
    onFiber?.(fiber)
    return base.shouldYield(fiber)
  },
  scheduleTask: (task, priority, fiber) => {
    // with the fiber, a fiber that has been forked is seen before it runs
    if (fiber !== undefined) onFiber?.(fiber)
    base.scheduleTask(wrap === undefined ? task : wrap(task), priority, fiber)
  }
})
