/**
 * Finds the fibers that a program has started and that have not ended. It uses a scheduler, because Effect's next major
 * has no `Supervisor`. Only `doing` needs more of a fiber: `Fiber.status`, which says whether it is suspended, and
 * which fiber it waits for. If a version of Effect has no `Fiber.status`, leave out the words after the fiber's name.
 */
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { AnyFiber } from "../../internal/support/run.js"
import { currentFiber, onExit } from "../../internal/support/run.js"
import { observed } from "./scheduling.js"

export const makeFibers = () => {
  const alive = new Set<AnyFiber>()
  /** Fibers that run `watch` itself. */
  const watching = new WeakSet<AnyFiber>()
  let last: AnyFiber | undefined

  const see = (fiber: AnyFiber): void => {
    // this is called for each operation of each fiber
    if (fiber === last) return
    last = fiber
    if (alive.has(fiber) || watching.has(fiber)) return
    alive.add(fiber)
    onExit(fiber, () => {
      alive.delete(fiber)
      if (last === fiber) last = undefined
    })
  }

  return {
    /** Runs the effect, and sees the fibers that it starts, including daemons. */
    watch: <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => {
        const own = currentFiber()
        if (own !== undefined && !alive.has(own)) watching.add(own)
        return observed(self, { onFiber: see })
      }),

    /** The fibers that have not ended, in words: `"#12, suspended, in its span"`. */
    left: Effect.suspend(() => Effect.map(Effect.forEach([...alive], describe), (lines) => lines.flat()))
  }
}

const describe = (fiber: AnyFiber): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(doing(fiber), (does) => {
    if (does === undefined) return []
    const span = fiber.currentSpan
    return [[FiberId.threadName(fiber.id()), does, ...(span?._tag === "Span" ? [`in ${span.name}`] : [])].join(", ")]
  })

/** What a fiber does, in words; `undefined` if it has ended. */
const doing = (fiber: AnyFiber): Effect.Effect<string | undefined> =>
  Effect.map(fiber.status, (status) => {
    if (status._tag === "Done") return undefined
    if (status._tag === "Running") return "running"
    // not `FiberId.isNone`: in effect 3.22 it recurses endlessly for every other id
    return status.blockingOn._tag === "None" ? "suspended" : `waits for ${FiberId.threadName(status.blockingOn)}`
  })
