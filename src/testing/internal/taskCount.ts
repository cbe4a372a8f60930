/** Counting the tasks of fibers, and noticing what something outside of them has set going. */
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
    /** Runs the effect, and counts the tasks of its fiber and of all that it forks. */
    counted: <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => observed(self, { wrap }),
    /** Calls `f`. The tasks that it schedules do not come from outside. */
    run,
    /** How many tasks have been scheduled and have not run. */
    due: (): number => due,
    /** How many tasks have been scheduled so far. */
    scheduled: (): number => scheduled,
    /** How many of them no other task has scheduled: a promise did, a timer, or a fiber outside. */
    fromOutside: (): number => fromOutside
  }
}
