/** Counts the tasks of fibers, and those that something outside of the fibers has scheduled. */
import type * as Effect from "effect/Effect"
import { observed } from "./scheduling.js"

export const makeTaskCount = () => {
  let due = 0
  let scheduled = 0
  let fromOutside = 0
  let within = 0

  const run = (task: () => void): void => {
    within++
    try {
      task()
    } finally {
      within--
    }
  }

  const wrap = (task: () => void) => {
    due++
    scheduled++
    if (within === 0) fromOutside++
    return () => {
      due--
      run(task)
    }
  }

  return {
    /** Runs the effect, and counts the tasks of its fiber and of all fibers that it forks. */
    counted: <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => observed(self, { wrap }),
    /** Calls `f`. The tasks that it schedules do not come from outside. */
    run,
    /** How many tasks have been scheduled and have not run. */
    due: (): number => due,
    /** How many tasks have been scheduled so far. */
    scheduled: (): number => scheduled,
    /** How many of these something outside has scheduled: a promise, a timer, or a fiber that is not counted. */
    fromOutside: (): number => fromOutside
  }
}
