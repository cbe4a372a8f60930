/**
 * Runs Effects in virtual time without the event loop. Only the seed decides which fiber runs next, after how many
 * operations it yields, and what time it is. `TestClock` waits in real time for fibers to settle, and cannot choose
 * between them. Its promise holds here too: time advances only when no fiber can run at the present time.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Scheduler, Task } from "effect/Scheduler"
import { makeFibers } from "../../../src/testing/internal/fibers.js"
import { Broken } from "../outcome.js"
import type { Random } from "../random.js"
import type { Trace } from "../trace.js"

interface Turn {
  readonly task: Task
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Others come first until so many tasks have run. */
  readonly notBefore: number
}

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** A run that needs more turns than this is taken for one that never ends. */
const MOST_TASKS = 5_000_000

export interface EngineOptions {
  /** How likely the next to run is anyone instead of the one that has waited longest. */
  readonly disorder: number
  /** After how many operations somebody yields, on average; to yield takes some operations, too. */
  readonly yieldsAfter: number
  /** How likely one who yields or is woken is put off for a while, in which others may do a lot. */
  readonly pauses: number
}

/** For so many tasks at most somebody is put off. */
const LONGEST_PAUSE = 100

export class Engine implements Scheduler {
  now = 0
  tasks = 0
  /** How far the wall clock is ahead of the monotonic one, in milliseconds. Sleeps do not follow it. */
  wallAhead = 0
  readonly clock: Clock.Clock
  /** The same time, without the jumps of the wall clock. */
  readonly steady: Clock.Clock
  private ready: Array<Turn> = []
  private first = 0
  private untilYield: number
  /** In the order in which they are due. */
  private readonly timers: Array<Timer> = []

  constructor(
    private readonly options: EngineOptions,
    private readonly random: Random,
    private readonly trace: Trace
  ) {
    this.untilYield = options.yieldsAfter
    this.clock = this.clockOf(() => this.now + this.wallAhead)
    this.steady = this.clockOf(() => this.now)
  }

  private clockOf(millis: () => number): Clock.Clock {
    const nanos = () => BigInt(this.now) * 1_000_000n
    return {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: millis,
      unsafeCurrentTimeNanos: nanos,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: Effect.sync(nanos),
      sleep: (duration) => this.sleep(duration)
    }
  }

  shouldYield(): number | false {
    if (--this.untilYield > 0) return false
    this.untilYield = this.random.between(1, 2 * this.options.yieldsAfter)
    return 0
  }

  scheduleTask(task: Task, _priority: number, fiber?: Fiber.RuntimeFiber<unknown, unknown>): void {
    const pauses = this.options.pauses > 0 && this.random.chance(this.options.pauses)
    this.ready.push({ task, fiber, notBefore: pauses ? this.tasks + this.random.between(1, LONGEST_PAUSE) : 0 })
  }

  /**
   * Runs an effect to its end, which comes before `limit` (milliseconds) if it comes at all, and leaves no fiber behind.
   */
  run<A, E>(effect: Effect.Effect<A, E>, limit: number): Exit.Exit<A, E> {
    const fibers = makeFibers()
    const exit = this.complete(fibers.watch(effect), limit)
    // what has died may have left anything
    if (exit._tag === "Failure") return exit
    // fibers that are interrupted may need some turns to end
    this.flush()
    const left = this.complete(fibers.left, limit)
    if (left._tag === "Failure") throw new Broken("no census")
    if (left.value.length > 0) throw new Broken(`fibers are left behind: ${left.value.join("; ")}`)
    return exit
  }

  private complete<A, E>(effect: Effect.Effect<A, E>, limit: number): Exit.Exit<A, E> {
    let exit: Exit.Exit<A, E> | undefined
    const fiber = Effect.runFork(Effect.withClock(effect, this.clock), { scheduler: this })
    fiber.addObserver((ended) => {
      exit = ended
    })
    for (this.flush(); exit === undefined; this.flush()) {
      const timer = this.timers.shift()
      if (timer === undefined) throw new Broken(`everybody waits, and nobody will be woken, at ${this.now} ms`)
      if (timer.at > limit) throw new Broken(`it is not over after ${limit} ms`)
      this.now = timer.at
      this.trace.note(this.now, this.tasks)
      timer.fire()
    }
    return exit
  }

  private flush(): void {
    while (this.first < this.ready.length) {
      const turn = this.next()
      if (++this.tasks > MOST_TASKS) throw new Broken("it goes on for ever without time passing")
      turn?.task()
    }
    this.ready = []
    this.first = 0
  }

  private next(): Turn | undefined {
    const { disorder } = this.options
    if (disorder > 0 && this.random.chance(disorder)) {
      return this.take(this.first + this.random.below(this.ready.length - this.first))
    }
    if ((this.ready[this.first]?.notBefore ?? 0) > this.tasks) {
      const due = this.ready.findIndex((turn, at) => at >= this.first && turn.notBefore <= this.tasks)
      if (due >= 0) return this.take(due)
    }
    const turn = this.ready[this.first++]
    if (this.first > 1024) {
      this.ready = this.ready.slice(this.first)
      this.first = 0
    }
    return turn
  }

  /** The turn at `index`, or the first of the same fiber: what one has to do it does in order. */
  private take(index: number): Turn | undefined {
    const fiber = this.ready[index]?.fiber
    const first = this.ready.findIndex((turn, at) => at >= this.first && turn.fiber === fiber)
    const [turn] = this.ready.splice(first, 1)
    return turn
  }

  private sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      // timers have whole milliseconds
      const timer: Timer = { at: Math.ceil(this.now + Duration.toMillis(duration)), fire: () => resume(Effect.void) }
      if (timer.at === Infinity) return
      let index = this.timers.length
      while (index > 0 && (this.timers[index - 1]?.at ?? 0) > timer.at) index--
      this.timers.splice(index, 0, timer)
      return Effect.sync(() => {
        const at = this.timers.indexOf(timer)
        if (at >= 0) this.timers.splice(at, 1)
      })
    })
  }
}
