/**
 * Virtual time that passes by itself: from one sleep to the next, as long as a program needs it.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { realTurn } from "./internal/census.js"

/**
 * How long it may go on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The virtual time that may pass. Default: one hour; a program with heartbeats has some thousand sleeps
   * in that, each of them some milliseconds of real time.
   */
  readonly limit?: Duration.DurationInput | undefined
}

/**
 * The program did not end: it waits for something that no time brings (`"Deadlock"`), or for longer than the limit
 * (`"Limit"`). `after` is the virtual time that had passed, in milliseconds.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotDone extends Data.TaggedError("NotDone")<{
  readonly reason: "Deadlock" | "Limit"
  readonly after: number
}> {
  override get message(): string {
    return this.reason === "Deadlock"
      ? `Not done after ${this.after} ms of virtual time, and nothing sleeps any more: this hangs`
      : `Not done after ${this.after} ms of virtual time, which is the limit`
  }
}

/**
 * Runs the effect under the `TestClock` of the context, and lets time pass, from one sleep to the next, until it is
 * done. When nothing sleeps any more (for a tenth of a second of real time), or the limit is over, it is interrupted and
 * this dies with `NotDone`: what hangs for ever is found at once.
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
  Effect.acquireUseRelease(
    Effect.fork(Effect.interruptible(self)),
    (fiber) => Effect.zipRight(passTime(fiber, Duration.toMillis(options.limit ?? "1 hour")), Fiber.join(fiber)),
    Fiber.interruptFork
  )

const passTime = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, limit: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const clock = yield* TestClock.testClock()
    const start = clock.unsafeCurrentTimeMillis()
    // all that needs no time happens first, as it does after each setting of the clock
    yield* TestClock.adjust(0)
    for (let patience = PATIENCE; ;) {
      if (fiber.unsafePoll() !== null) return
      const after = clock.unsafeCurrentTimeMillis() - start
      const next = Chunk.reduce(yield* TestClock.sleeps(), Infinity, (earliest, at) => Math.min(earliest, at))
      if (next < Infinity) {
        if (next - start > limit) return yield* Effect.die(new NotDone({ reason: "Limit", after }))
        yield* TestClock.setTime(next)
        patience = PATIENCE
      } else {
        // something outside of virtual time may still be going on: a promise, a real timer
        if (patience-- === 0) return yield* Effect.die(new NotDone({ reason: "Deadlock", after }))
        yield* Effect.zipRight(realTurn, TestClock.adjust(0))
      }
    }
  })

const PATIENCE = 20
