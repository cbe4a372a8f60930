/**
 * What a scenario leaves behind: fibers (those that sleep in virtual time too), and what keeps Node's event loop alive.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as FiberStatus from "effect/FiberStatus"
import type * as Fiber from "effect/Fiber"
import * as Supervisor from "effect/Supervisor"

/** Runs the scenario, and fails unless every fiber, socket, server and timer that it began has ended with it. */
export const leavesNothing = <A, E, R>(scenario: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const before = resources()
    const supervisor = yield* Supervisor.track
    const result = yield* Effect.supervised(scenario, supervisor)
    let left: ReadonlyArray<string> = []
    // what was told to end may need some turns of the event loop for it
    for (let patience = 200; patience > 0; patience--) {
      left = [...(yield* fibers(supervisor)), ...excess(before, resources())]
      if (left.length === 0) return result
      yield* turn
    }
    assert.deepStrictEqual(left, [], "left behind")
    return result
  })

const fibers = (supervisor: Supervisor.Supervisor<Array<Fiber.RuntimeFiber<unknown, unknown>>>) =>
  Effect.flatMap(supervisor.value, (alive) =>
    Effect.forEach(alive, (fiber) =>
      Effect.map(fiber.status, (status) => (FiberStatus.isDone(status) ? [] : [FiberId.threadName(fiber.id())]))
    )
  ).pipe(Effect.map((names) => names.flat()))

/** How many there are of each kind: "Timeout", "TCPSocketWrap", "TCPServerWrap", "PipeWrap" and so on. */
const resources = (): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

const excess = (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): ReadonlyArray<string> =>
  [...after].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0)
    // a turn of the event loop that this very check waits for
    return more > 0 && kind !== "Immediate" ? [`${more} x ${kind}`] : []
  })

const turn = Effect.async<void>((resume) => {
  setTimeout(() => resume(Effect.void), 5)
})
