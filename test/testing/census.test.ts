import { assert, describe, it } from "@effect/vitest"
import { Census, SimulatedSessions, VirtualTime } from "effect-muxado/testing"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type { Server } from "node:net"
import { createServer } from "node:net"
import { ending } from "../support/session/sessionTest.js"

/** Runs it to the end, and gives what dying of it says. */
const leftBehind = <A>(effect: Effect.Effect<A>, options?: Census.Options) =>
  Effect.map(Effect.exit(Census.leavesNothing(effect, options)), (exit) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : assert.fail("nothing was found")
    assert.instanceOf(error, Census.LeftBehind)
    return error
  })

describe("a census", () => {
  it.effect.prop(
    "finds exactly the fibers that have not ended: children and daemons at any depth",
    [fc.array(fc.record({ daemon: fc.boolean(), ends: fc.boolean(), depth: fc.nat(3) }), { maxLength: 8 })],
    ([fibers]) =>
      Effect.gen(function* () {
        const census = yield* Census.make()
        const started = yield* census.watch(
          Effect.forEach(fibers, ({ daemon, depth, ends }) => {
            const nested = Array.from({ length: depth }).reduce<Effect.Effect<unknown>>(
              (inner) => Effect.flatMap(Effect.fork(inner), Fiber.join),
              ends ? Effect.yieldNow() : Effect.never
            )
            return daemon ? Effect.forkDaemon(nested) : Effect.fork(nested)
          })
        )
        yield* TestClock.adjust(0)
        const expected = fibers.reduce((sum, { depth, ends }) => sum + (ends ? 0 : 1 + depth), 0)
        assert.strictEqual((yield* census.left).fibers.length, expected)
        yield* Fiber.interruptAll(started)
        assert.deepStrictEqual(yield* census.settled, { fibers: [], sleeps: [], resources: [] })
      })
  )

  it.effect("says which fiber it is, what it does, and in which span", () =>
    Effect.gen(function* () {
      const census = yield* Census.make()
      const fiber = yield* census.watch(Effect.never.pipe(Effect.withSpan("waiting for ever"), Effect.forkDaemon))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual((yield* census.left).fibers, [`#${fiber.id().id}, suspended, in waiting for ever`])
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("says for which fiber a fiber waits", () =>
    Effect.gen(function* () {
      const census = yield* Census.make()
      const [one, other] = yield* census.watch(
        Effect.gen(function* () {
          const one = yield* Effect.forkDaemon(Effect.never)
          return [one, yield* Effect.forkDaemon(Fiber.join(one))] as const
        })
      )
      yield* TestClock.adjust(0)
      assert.deepStrictEqual((yield* census.left).fibers, [
        `#${one.id().id}, suspended`,
        `#${other.id().id}, waits for #${one.id().id}`
      ])
      yield* Fiber.interruptAll([one, other])
    })
  )

  it.effect("finds a fiber that has not started to run, in virtual time too", () =>
    Effect.gen(function* () {
      const census = yield* Census.make()
      const program = Effect.zip(Effect.forkDaemon(Effect.never), census.left)
      const [one, before] = yield* census.watch(program)
      assert.strictEqual(before.fibers.length, 1)
      // one more: the program's own fiber
      const [other, inside] = yield* census.watch(VirtualTime.run(program))
      assert.strictEqual(inside.fibers.length, 3)
      assert.strictEqual((yield* census.left).fibers.length, 2)
      yield* Fiber.interruptAll([one, other])
      assert.isTrue(Census.isEmpty(yield* census.settled))
    })
  )

  it.effect("counts the fiber that reads `left`, but not the fiber that runs `watch`", () =>
    Effect.gen(function* () {
      const census = yield* Census.make()
      const asking = yield* census.watch(Effect.fork(Effect.zip(Effect.fiberId, census.left)))
      const [id, left] = yield* Fiber.join(asking)
      assert.deepStrictEqual(left.fibers, [`${FiberId.threadName(id)}, running`])
      assert.deepStrictEqual((yield* census.watch(census.left)).fibers, [])
    })
  )

  it.effect("counts the fibers that sessions start outside of all requests, until the sessions are closed", () =>
    Effect.gen(function* () {
      const census = yield* Census.make()
      const scope = yield* Scope.make()
      yield* census.watch(Scope.extend(SimulatedSessions.make(), scope))
      yield* TestClock.adjust(0)
      assert.isAtLeast((yield* census.left).fibers.length, 4)
      yield* census.watch(Scope.close(scope, Exit.void))
      assert.deepStrictEqual(yield* census.settled, { fibers: [], sleeps: [], resources: [] })
    })
  )

  it.effect("of two nested censuses, each counts its own fibers", () =>
    Effect.gen(function* () {
      const [outer, inner] = [yield* Census.make(), yield* Census.make()]
      const fibers = yield* outer.watch(
        Effect.zip(Effect.forkDaemon(Effect.never), inner.watch(Effect.forkDaemon(Effect.never)))
      )
      assert.strictEqual((yield* outer.left).fibers.length, 2)
      assert.deepStrictEqual(
        (yield* inner.left).fibers.map((line) => line.split(",")[0]),
        [FiberId.threadName(fibers[1].id())]
      )
      yield* Fiber.interruptAll(fibers)
      assert.isTrue(Census.isEmpty(yield* outer.settled))
    })
  )

  it.effect("leavesNothing dies with what is left, and accepts a fiber that ends within a second", () =>
    Effect.gen(function* () {
      let fiber: Fiber.RuntimeFiber<unknown> | undefined
      const error = yield* leftBehind(
        Effect.gen(function* () {
          fiber = yield* Effect.forkDaemon(Effect.sleep("5 seconds"))
          yield* TestClock.adjust("1 second")
        })
      )
      assert.deepStrictEqual(error.left.sleeps, ["until 5000 ms"])
      assert.strictEqual(error.left.fibers.length, 1)
      assert.match(error.message, /^Left behind\n {2}fibers: #\d+, .*\n {2}sleeps: until 5000 ms$/)
      yield* Fiber.interrupt(fiber ?? assert.fail("not begun"))

      const late = Effect.async<void>((resume) => {
        setTimeout(() => resume(Effect.void), 20)
      })
      assert.strictEqual(yield* Census.leavesNothing(Effect.as(Effect.forkDaemon(late), 1)), 1)
    })
  )

  it.effect("counts pending sleeps of virtual time, and none that has ended or was interrupted", () =>
    Effect.gen(function* () {
      const census = yield* Census.make()
      const fibers = yield* census.watch(
        Effect.forEach([1000, 3000, 2000], (millis) => Effect.forkDaemon(Effect.sleep(millis)))
      )
      yield* TestClock.adjust(0)
      const sleeps = Effect.map(census.left, (left) => left.sleeps)
      assert.deepStrictEqual(yield* sleeps, ["until 1000 ms", "until 2000 ms", "until 3000 ms"])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(yield* sleeps, ["until 2000 ms", "until 3000 ms"])
      yield* Fiber.interrupt(fibers[1] ?? assert.fail("not begun"))
      assert.deepStrictEqual(yield* sleeps, ["until 2000 ms"])
      yield* TestClock.adjust(1000)
      assert.isTrue(Census.isEmpty(yield* census.left))
    })
  )

  it.effect("does not change the clock of the watched effect", () =>
    Effect.gen(function* () {
      const census = yield* Census.make()
      yield* TestClock.adjust("1 minute")
      const seen = yield* census.watch(
        Effect.gen(function* () {
          yield* TestClock.adjust("1 minute")
          return [yield* Clock.currentTimeMillis, Number((yield* Clock.currentTimeNanos) / 1_000_000n)]
        })
      )
      assert.deepStrictEqual(seen, [120_000, 120_000])
    })
  )

  it.effect("passes results and failures on", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Census.leavesNothing(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(Census.leavesNothing(Effect.fail("no"))), "no")
    })
  )

  it.live("counts Node's resources if it is asked to, and only those that were opened meanwhile", () =>
    Effect.gen(function* () {
      // vitest has timers of its own that come and go, but no servers
      const listening = Effect.async<Server>((resume) => {
        const server: Server = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      })
      const close = (server: Server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
      const before = yield* listening
      let during: Server | undefined
      const begin = Effect.map(listening, (server) => {
        during = server
      })
      const error = yield* leftBehind(begin, { resources: true })
      yield* close(during ?? assert.fail("not begun"))
      assert.deepStrictEqual(error.left, { fibers: [], sleeps: [], resources: ["1 x TCPServerWrap"] })
      yield* Census.leavesNothing(
        Effect.acquireUseRelease(listening, () => Effect.void, close),
        { resources: true }
      )
      yield* close(before)
    })
  )
})

it.effect("Census names a fiber that was left", () =>
  Effect.gen(function* () {
    const census = yield* Census.make()
    const left = yield* census.watch(Effect.forkDaemon(Effect.never))
    assert.strictEqual((yield* census.left).fibers.length, 1)
    yield* Fiber.interrupt(left)
    assert.isTrue(Census.isEmpty(yield* census.left))
  })
)

it.effect("leavesNothing works inside VirtualTime.run", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* ending(VirtualTime.run(Census.leavesNothing(Effect.sleep("30 seconds")))), "ok")
  })
)

it.effect("leavesNothing works inside leavesNothing, around a VirtualTime.run", () =>
  Effect.gen(function* () {
    const inner = VirtualTime.run(Effect.sleep("30 seconds"))
    assert.strictEqual(yield* ending(Census.leavesNothing(Census.leavesNothing(inner))), "ok")
  })
)
