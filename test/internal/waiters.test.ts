/** Waiting and waking: no wake-up is lost, and what is interrupted leaves nothing behind. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { race } from "../../src/internal/support/race.js"
import { Latch, Once, Signal, WaitSet } from "../../src/internal/support/waiters.js"
import { eagerly } from "../support/eagerScheduler.js"

/** Lets every fiber that can go on do so. */
const turn = Effect.repeatN(Effect.yieldNow(), 20)

const schedulers = [
  { when: "on Effect's scheduler", run: <A, E>(effect: Effect.Effect<A, E>) => effect },
  { when: "with fibers that run inside the call that wakes them", run: eagerly }
]

/** How many waiters a set, latch or outcome keeps. */
const sizeOf = (waiting: unknown): number => {
  assert(waiting instanceof Map || waiting instanceof Set)
  return waiting.size
}

for (const { run, when } of schedulers) {
  const holds = <T>(title: string, arbitrary: fc.Arbitrary<T>, body: (input: T) => Effect.Effect<void>) =>
    it(`${title}, ${when}`, () =>
      fc.assert(
        fc.asyncProperty(arbitrary, (input) => Effect.runPromise(run(body(input)))),
        { numRuns: 100 }
      ))

  describe("a Signal", () => {
    holds(
      "brings every piece of work to its worker, whatever interrupts the worker",
      fc.array(fc.constantFrom("work", "interrupt", "turn"), { maxLength: 40 }),
      (actions) =>
        Effect.gen(function* () {
          const signal = new Signal()
          let [given, done] = [0, 0]
          const worker = Effect.forever(
            Effect.zipRight(
              Effect.sync(() => (done = given)),
              // a pause between looking and waiting, in which work may come
              Effect.zipRight(Effect.yieldNow(), signal.wait)
            )
          )
          let fiber = yield* Effect.fork(worker)
          for (const action of actions) {
            if (action === "turn") yield* turn
            if (action === "interrupt") {
              yield* Fiber.interrupt(fiber)
              fiber = yield* Effect.fork(worker)
            }
            if (action === "work") {
              given++
              signal.notify()
            }
          }
          yield* turn
          assert.strictEqual(done, given)
          yield* Fiber.interrupt(fiber)
        })
    )
  })

  describe("a WaitSet", () => {
    holds(
      "wakes all that wait, whatever interrupts some of them",
      fc.tuple(fc.integer({ min: 1, max: 60 }), fc.func(fc.boolean())),
      ([count, isInterrupted]) =>
        Effect.gen(function* () {
          const set = new WaitSet()
          let ready = false
          const fibers = yield* Effect.forEach(Array.from({ length: count }), () =>
            Effect.fork(set.waitUnless(() => ready))
          )
          yield* turn
          const [gone, left] = [fibers.filter((_, n) => isInterrupted(n)), fibers.filter((_, n) => !isInterrupted(n))]
          yield* Fiber.interruptAll(gone)
          ready = true
          set.notifyAll()
          yield* Fiber.joinAll(left)
          yield* set.waitUnless(() => ready)
        })
    )

    holds("wakes a fiber again that waits again inside the wake-up", fc.integer({ min: 1, max: 30 }), (count) =>
      Effect.gen(function* () {
        const set = new WaitSet()
        let round = 0
        const waiting = Effect.repeatN(
          set.waitUnless(() => false),
          1
        )
        const fibers = yield* Effect.forEach(Array.from({ length: count }), () => Effect.fork(waiting))
        yield* turn
        for (; round < 2; round++) {
          set.notifyAll()
          yield* turn
        }
        yield* Fiber.joinAll(fibers)
      })
    )

    it(`keeps a bounded number of ended fibers, ${when}`, () =>
      Effect.gen(function* () {
        const set = new WaitSet()
        const first = yield* Effect.fork(set.waitUnless(() => false))
        for (let n = 0; n < 200; n++) {
          const fiber = yield* Effect.fork(set.waitUnless(() => false))
          yield* turn
          yield* Fiber.interrupt(fiber)
        }
        assert.isAtMost(sizeOf(Reflect.get(set, "others")), 16)
        yield* Fiber.interrupt(first)
      }).pipe(run, Effect.runPromise))
  })

  describe("a Latch", () => {
    holds(
      "lets through exactly those that come while it is open, or wait when it opens",
      fc.array(fc.constantFrom("open", "close", "wait", "interrupt"), { maxLength: 40 }),
      (actions) =>
        Effect.gen(function* () {
          const latch = new Latch(false)
          let waiting: Array<Fiber.RuntimeFiber<void>> = []
          let open = false
          for (const action of actions) {
            if (action === "open") {
              latch.open()
              open = true
              yield* Fiber.joinAll(waiting)
              waiting = []
            }
            if (action === "close") {
              latch.close()
              open = false
            }
            if (action === "wait") {
              const fiber = yield* Effect.fork(latch.await)
              yield* turn
              if (open) yield* Fiber.join(fiber)
              else waiting.push(fiber)
            }
            if (action === "interrupt") yield* Fiber.interruptAll(waiting.splice(0, 1))
            assert.strictEqual(sizeOf(Reflect.get(latch, "waiting")), waiting.length)
          }
          yield* Fiber.interruptAll(waiting)
          assert.strictEqual(sizeOf(Reflect.get(latch, "waiting")), 0)
        })
    )
  })

  describe("an Once", () => {
    holds(
      "gives its first outcome to all, before and after it is there, and keeps no interrupted waiter",
      fc.tuple(
        fc.integer({ min: 0, max: 10 }),
        fc.integer({ min: 0, max: 10 }),
        fc.array(fc.oneof(fc.integer().map(Exit.succeed), fc.integer().map(Exit.fail)), { minLength: 1, maxLength: 4 })
      ),
      ([staying, interrupted, outcomes]) =>
        Effect.gen(function* () {
          const once = new Once<number, number>()
          const fibers = yield* Effect.forEach(Array.from({ length: staying }), () => Effect.fork(once.await))
          const gone = yield* Effect.forEach(Array.from({ length: interrupted }), () => Effect.fork(once.await))
          yield* turn
          yield* Fiber.interruptAll(gone)
          assert.strictEqual(sizeOf(Reflect.get(once, "waiting")), staying)
          assert.isFalse(once.isDone)
          const isFirst = outcomes.map((outcome) => once.complete(outcome))
          assert.deepStrictEqual(
            isFirst,
            outcomes.map((_, n) => n === 0)
          )
          for (const fiber of fibers) assert.deepStrictEqual(yield* Fiber.await(fiber), outcomes[0])
          assert.deepStrictEqual(yield* Effect.exit(once.await), outcomes[0])
          assert.isTrue(once.isDone)
          assert.strictEqual(sizeOf(Reflect.get(once, "waiting")), 0)
        })
    )
  })

  describe("a race", () => {
    it(`gives what the first gives, and interrupts the other, ${when}`, () =>
      Effect.gen(function* () {
        const interrupted = yield* Deferred.make<void>()
        const slow = Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
        assert.strictEqual(yield* race(Effect.succeed(1), slow), 1)
        assert.strictEqual(yield* race(slow, Effect.zipRight(Effect.yieldNow(), Effect.succeed(2))), 2)
        assert.strictEqual(yield* Effect.flip(race(slow, Effect.fail("failed"))), "failed")
        yield* Deferred.await(interrupted)
      }).pipe(run, Effect.runPromise))
  })
}
