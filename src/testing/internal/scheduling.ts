/**
 * Observes the tasks of fibers by a scheduler over the program's scheduler. Fibers that an observed fiber forks are
 * observed too, including daemons. Fibers that get another scheduler are not.
 */
import * as Effect from "effect/Effect"
import type { Scheduler } from "effect/Scheduler"
import type { AnyFiber } from "../../internal/support/run.js"
import { currentScheduler } from "../../internal/support/run.js"

/** The callbacks of an observer. */
export interface Observer {
  /** Called before a fiber runs, and before each of its operations. */
  readonly onFiber?: ((fiber: AnyFiber) => void) | undefined
  /** Called before a task is scheduled. Its result is scheduled in place of the task. */
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
    // `scheduleTask` has the fiber too: so a forked fiber is seen before it runs
    if (fiber !== undefined) onFiber?.(fiber)
    base.scheduleTask(wrap === undefined ? task : wrap(task), priority, fiber)
  }
})
