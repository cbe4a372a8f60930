/**
 * A scheduler that runs each task before `scheduleTask` returns. A fiber that is woken goes on inside the call that wakes
 * it, so code that wakes a fiber before it has changed its own state shows its fault.
 */
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"

/** So many tasks run inside one another. The stack of Node holds more than ten times as many. */
const MAX_DEPTH = 64

/**
 * Makes an eager scheduler. Two kinds of tasks go to Effect's default scheduler instead: those of a fiber that yields, so
 * that other fibers and the event loop get their turn, and those that would run deeper than `maxDepth` tasks inside one
 * another.
 */
export const makeEagerScheduler = (maxDepth = MAX_DEPTH): Scheduler.Scheduler & { readonly deepest: () => number } => {
  const running: Array<unknown> = []
  let deepest = 0
  const eager = Scheduler.make((task, priority, fiber) => {
    const yields = fiber !== undefined && running.at(-1) === fiber
    if (yields || running.length >= maxDepth) return Scheduler.defaultScheduler.scheduleTask(task, priority, fiber)
    running.push(fiber)
    deepest = Math.max(deepest, running.length)
    try {
      task()
    } finally {
      running.pop()
    }
  })
  return { ...eager, deepest: () => deepest }
}

/** Runs the effect, and all fibers that it forks, on an eager scheduler. */
export const eagerly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.withScheduler(effect, makeEagerScheduler()))
