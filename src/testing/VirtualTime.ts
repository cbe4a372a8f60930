/**
 * Virtual time that advances by itself from one sleep to the next, until a program is done.
 *
 * @module
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as TestClock from "effect/TestClock"
import { interruptNow, isDone } from "../internal/support/run.js"
import { makeTaskCount } from "./internal/taskCount.js"
import { isTestClock, nextSleep, withoutWaiting } from "./internal/testClock.js"
import { macrotask, realTime, realTurn } from "./internal/turns.js"
import { makeVirtualClock } from "./internal/virtualClock.js"
import { describeLinks } from "./internal/waits.js"
import { warn } from "./internal/warn.js"

/**
 * Options of `run`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The most virtual time that may pass. A number is milliseconds. Default: 30 hours. With heartbeats every 10 seconds
   * on both sides, an hour passes in about 0.5 seconds of real time and a day in about 7 seconds. So `run` reports a
   * program in which only the heartbeats continue after about 9 seconds.
   */
  readonly limit?: Duration.DurationInput | undefined
}

/**
 * The program did not end. `"Deadlock"`: it waits for something, but no sleep is pending. `"Limit"`: its next sleep
 * ends after the limit.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotDone extends Data.TaggedError("NotDone")<{
  /**
   * Why `run` has interrupted it.
   */
  readonly reason: "Deadlock" | "Limit"
  /**
   * The virtual time that passed, in milliseconds.
   */
  readonly after: number
  /**
   * One line for each operation that a simulated link waits for, and for each session over a link.
   */
  readonly waiting: ReadonlyArray<string>
}> {
  override get message(): string {
    const why =
      this.reason === "Deadlock"
        ? `Not done after ${this.after} ms of virtual time, and no sleep is pending: the program hangs`
        : `Not done after ${this.after} ms of virtual time, and the next sleep ends after the limit`
    return [why, ...this.waiting].join("\n  ")
  }
}

/**
 * Runs the effect under the `TestClock` of the context. Time advances from one sleep to the next until the effect is
 * done. If no sleep is pending for 100 ms of real time, or the next sleep ends after the limit, `run` interrupts the
 * effect and dies with `NotDone`, which lists what the simulated links waited for.
 *
 * Real asynchronous work (a promise, a file) takes no virtual time. Virtual time does not wait for such work while a
 * sleep is pending. But at the start, and after such work has woken a fiber, each of the next 12 steps of time waits 2
 * ms of real time.
 *
 * @example
 * ```ts
 * import { Effect, TestContext } from "effect"
 * import { VirtualTime } from "effect-muxado/testing"
 *
 * const program = Effect.sleep("50 minutes").pipe(VirtualTime.run, Effect.provide(TestContext.TestContext))
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const run = <A, E, R>(self: Effect.Effect<A, E, R>, options: Options = {}): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const base = yield* Effect.clock
    if (!isTestClock(base)) {
      return yield* Effect.dieMessage(
        "VirtualTime.run needs a TestClock: use it.effect or it.scoped, or provide TestContext.TestContext"
      )
    }
    const virtual = makeVirtualClock(base)
    const tasks = makeTaskCount()
    const running = self.pipe(Effect.withClock(virtual.clock), tasks.counted, Effect.interruptible, Effect.fork)
    const limit = Duration.toMillis(options.limit ?? "30 hours")
    return yield* Effect.acquireUseRelease(
      running,
      (fiber) => Effect.zipRight(passTime(fiber, { base, limit, tasks, virtual }), Fiber.join(fiber)),
      (fiber) =>
        Effect.sync(() => {
          interruptNow(fiber)
          virtual.handOver()
        })
    )
  })

interface Passing {
  readonly base: TestClock.TestClock
  readonly virtual: ReturnType<typeof makeVirtualClock>
  readonly tasks: ReturnType<typeof makeTaskCount>
  readonly limit: number
}

const passTime = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  { base, limit, tasks, virtual }: Passing
): Effect.Effect<void> => {
  const quick = withoutWaiting(base)
  const start = base.unsafeCurrentTimeMillis()
  const passed = (): number => base.unsafeCurrentTimeMillis() - start
  const notDone = (reason: NotDone["reason"]) =>
    Effect.flatMap(describeLinks(base), (waiting) => Effect.die(new NotDone({ reason, after: passed(), waiting })))
  /** Waits until a turn of the event loop leaves no task: then all work that needs no time is done. */
  const settled = Effect.gen(function* () {
    do yield* macrotask
    while (tasks.due() > 0)
  })
  return Effect.gen(function* () {
    const tellAt = Date.now() + TELL_AFTER
    let told = false
    let hope = PATIENCE
    let patience = PATIENT_STEPS
    let fromOutside = 0
    for (;;) {
      yield* settled
      if (isDone(fiber)) return
      if (tasks.fromOutside() !== fromOutside) {
        fromOutside = tasks.fromOutside()
        patience = PATIENT_STEPS
      }
      let woken = false
      tasks.run(() => {
        woken = virtual.wake() || virtual.settle()
      })
      if (woken) continue

      const outside = nextSleep(base)
      const next = Math.min(virtual.next(), outside)
      if (next === Infinity) {
        // the program may wait for something outside of virtual time: a promise, a real timer
        if (hope-- === 0) return yield* notDone("Deadlock")
        yield* realTurn
        continue
      }
      if (next - start > limit) return yield* notDone("Limit")
      if (patience > 0) {
        patience--
        const before = tasks.scheduled()
        yield* realTime(2)
        if (tasks.scheduled() !== before || isDone(fiber)) continue
      }
      if (!told && Date.now() > tellAt && passed() > LONG) {
        told = true
        const lines = yield* describeLinks(base)
        yield* warn([
          `VirtualTime.run: ${passed()} ms of virtual time have passed, and the program is not done`,
          ...lines
        ])
      }
      yield* quick.setTime(next)
      // fibers outside of `run` are not counted: they get one turn of a timer to continue
      if (outside === next) yield* realTime(0)
      hope = PATIENCE
    }
  })
}

/** After this number of turns of 5 ms without a pending sleep, `run` reports a deadlock. */
const PATIENCE = 20

/** How many steps of time wait 2 ms each, at the start and after something outside has woken a fiber. */
const PATIENT_STEPS = 12

/** After this number of real milliseconds, `run` warns once, if more virtual time than `LONG` has passed. */
const TELL_AFTER = 3000

/** In virtual milliseconds. */
const LONG = 3_600_000
