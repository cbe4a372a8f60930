/** Turns of the event loop, whatever the clock of the fiber shows. */
import * as Effect from "effect/Effect"
import { park } from "../../internal/support/park.js"

/** Waits for this many real milliseconds. */
export const realTime = (millis: number): Effect.Effect<void> =>
  park<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

/** About 5 milliseconds. */
export const realTurn = realTime(5)

/** The shortest turn that there is. All promises that can settle have settled after it. */
export const macrotask = park<void>((resume) => {
  const turn = soon(() => resume(Effect.void))
  return Effect.sync(() => turn.cancel())
})

interface Turn {
  readonly cancel: () => void
}

const soon = (task: () => void): Turn => {
  if (typeof setImmediate === "function") {
    const turn = setImmediate(task)
    return { cancel: () => clearImmediate(turn) }
  }
  const turn = setTimeout(task, 0)
  return { cancel: () => clearTimeout(turn) }
}
