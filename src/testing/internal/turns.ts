/** Turns of the event loop in real time, independent of the fiber's clock. */
import * as Effect from "effect/Effect"
import { park } from "../../internal/support/park.js"

/** Waits for this number of real milliseconds. */
export const realTime = (millis: number): Effect.Effect<void> =>
  park<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

/** Waits for 5 milliseconds of real time. */
export const realTurn = realTime(5)

/** Waits for the shortest turn of the event loop. After it, all promises that can settle have settled. */
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
