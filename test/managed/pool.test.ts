import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule } from "effect"
import { ManagedSession, MuxadoError, MuxStream } from "effect-muxado"
import { call, echo, recorded, settle, statuses } from "../support/managed/calls.js"
import { makeNetwork, type Network } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

const second = { reconnect: Schedule.spaced("1 second") }

const never = () => Effect.never

/** How many streams each connection of the client carries, as the server counts. */
const shares = (network: Network) =>
  Effect.forEach(network.connections, ({ session }) =>
    session === undefined ? Effect.succeed(0) : Effect.map(session.stats, (stats) => stats.inboundStreams)
  )

const hold = (session: ManagedSession.ManagedSessionService, count: number) =>
  Effect.forEach(Array.from({ length: count }), () =>
    Effect.fork(
      Effect.exit(
        session.withStream((stream) => Effect.zipRight(MuxStream.write(stream, "a"), MuxStream.readAll(stream)))
      )
    )
  )

describe("size: 3", () => {
  virtually("makes three connections, and streams go to the one with the fewest", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: (session) => session.serve(never) })
      const session = yield* ManagedSession.make({ connect: network.connect, size: 3, ...second })
      yield* settle
      assert.strictEqual(network.dials, 3)
      const status = yield* session.status.get
      assert.isTrue(status._tag === "Connected" && status.sessions === 3)
      yield* hold(session, 30)
      yield* settle
      assert.deepStrictEqual(yield* shares(network), [10, 10, 10])
    })
  )

  virtually("one connection that is cut takes only its own streams", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: (session) => session.serve(never) })
      const session = yield* ManagedSession.make({ connect: network.connect, size: 3, ...second })
      const events = yield* recorded(session)
      yield* Effect.sleep("20 seconds")
      const fibers = yield* hold(session, 30)
      yield* settle
      yield* network.connections[1]?.link.cut ?? Effect.void
      yield* settle
      const done = yield* Effect.forEach(fibers, (fiber) => fiber.status)
      assert.strictEqual(done.filter(({ _tag }) => _tag === "Done").length, 10)
      assert.strictEqual((yield* session.status.get)._tag, "Connected")
      yield* Effect.sleep("10 seconds")
      assert.strictEqual(network.dials, 4)
      yield* hold(session, 10)
      yield* settle
      assert.deepStrictEqual((yield* shares(network)).slice(-1), [10])
      const lost = events.filter(({ _tag }) => _tag === "Lost")
      assert.strictEqual(lost.length, 1)
    })
  )

  virtually("a call does not wait while one of the three lives", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, size: 3, ...second })
      yield* Effect.sleep("20 seconds")
      network.mode = "Refuse"
      yield* network.connections[0]?.link.cut ?? Effect.void
      yield* network.connections[1]?.link.cut ?? Effect.void
      yield* settle
      for (let i = 0; i < 20; i++) assert.strictEqual(yield* call(session, "a"), "a 0")
      yield* Effect.sleep("20 seconds")
      assert.strictEqual(yield* call(session, "a"), "a 0")
    })
  )

  virtually("shares even out after a restart", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: (session) => session.serve(never) })
      const session = yield* ManagedSession.make({ connect: network.connect, size: 3, ...second })
      yield* Effect.sleep("20 seconds")
      yield* network.kill
      yield* hold(session, 30)
      yield* Effect.sleep("5 seconds")
      yield* hold(session, 30)
      yield* settle
      const now = (yield* shares(network)).slice(3)
      assert.strictEqual(now.length, 3)
      assert.deepStrictEqual(now, [20, 20, 20])
    })
  )

  virtually("`close` with one connection hanging closes all", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, size: 3, ...second })
      yield* Effect.sleep("20 seconds")
      network.mode = "Hang"
      yield* network.connections[0]?.link.cut ?? Effect.void
      yield* Effect.sleep("2 seconds")
      yield* session.close
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.open, 0)
    })
  )

  virtually("all refuse: the error counts attempts, and not the sum of all connections", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: network.connect,
        size: 3,
        reconnect: Schedule.spaced("1 second").pipe(Schedule.intersect(Schedule.recurs(2)))
      })
      const error = yield* Effect.flip(call(session, "a"))
      assert.instanceOf(error, MuxadoError.SessionUnavailable)
      assert.strictEqual(error.reason, "GaveUp")
      assert.strictEqual(error.attempts, 3)
      yield* session.closed
    })
  )
})

describe("maxAge", () => {
  const moving = (length: "short" | "long") =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        maxAge: "10 minutes",
        moveGrace: "1 minute",
        ...second
      })
      const seen = yield* statuses(session)
      yield* settle
      const open = yield* Effect.fork(
        Effect.exit(
          session.withStream((stream) =>
            Effect.gen(function* () {
              yield* MuxStream.write(stream, "long")
              yield* Effect.sleep("1 second").pipe(
                Effect.repeat({ until: () => seen.some(({ status }) => status._tag === "Moving") })
              )
              yield* Effect.sleep(length === "short" ? "50 seconds" : "70 seconds")
              yield* MuxStream.finish(stream)
              return yield* MuxStream.readAll(stream)
            })
          )
        )
      )
      const exit = yield* Fiber.join(open)
      assert.strictEqual(yield* call(session, "b"), "b 0")
      assert.isAtLeast(network.dials, 2)
      yield* Effect.sleep("2 minutes")
      assert.strictEqual(network.open, 1)
      return exit
    })

  virtually("a stream on the old session goes on until moveGrace is over", () =>
    Effect.map(moving("short"), (exit) => assert.isTrue(Exit.isSuccess(exit), String(exit)))
  )

  virtually("a stream on the old session is reset after moveGrace, with an error of this library", () =>
    Effect.gen(function* () {
      const exit = yield* moving("long")
      assert.isTrue(Exit.isFailure(exit))
      const error = yield* Effect.flip(Effect.suspend(() => exit))
      assert.isTrue(MuxadoError.isMuxadoError(error), String(error))
    })
  )

  virtually("no call fails while sessions are replaced, each minute for ten minutes", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo, link: { latency: 3 } })
      const session = yield* ManagedSession.make({ connect: network.connect, maxAge: "1 minute", ...second })
      let calls = 0
      yield* Effect.zipRight(call(session, "a"), Effect.sleep("1 second")).pipe(
        Effect.tap(() => Effect.sync(() => calls++)),
        Effect.repeatN(600)
      )
      assert.strictEqual(calls, 601)
      assert.isAtLeast(network.dials, 8)
      assert.isAtMost(network.open, 2)
    })
  )

  virtually("the old session stays while no new one can be made", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, maxAge: "10 minutes", ...second })
      yield* settle
      network.mode = "Refuse"
      yield* Effect.sleep("20 minutes")
      assert.strictEqual(yield* call(session, "a"), "a 0")
      assert.strictEqual((yield* session.status.get)._tag, "Moving")
      network.mode = "Serve"
      yield* Effect.sleep("1 minute")
      assert.strictEqual(yield* call(session, "a"), "a 0")
      assert.strictEqual((yield* session.status.get)._tag, "Connected")
      assert.strictEqual(network.open, 1)
    })
  )
})

describe("a rolling restart under load", () => {
  virtually("fails no call: 20 servers, one each 5 s, a call each 50 ms", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo, link: { latency: 4, jitter: 3 } })
      const session = yield* ManagedSession.make({ connect: network.connect, size: 2, ...second })
      yield* settle
      const failures: Array<unknown> = []
      const load = yield* Effect.fork(
        Effect.repeatN(
          Effect.zipRight(
            Effect.fork(
              call(session, "a", { retry: true }).pipe(
                Effect.catchAll((error) => Effect.sync(() => failures.push(error)))
              )
            ),
            Effect.sleep(50)
          ),
          2000
        )
      )
      for (let i = 0; i < 20; i++) {
        yield* Effect.sleep("5 seconds")
        yield* Effect.fork(network.replace)
      }
      yield* Fiber.join(load)
      yield* Effect.sleep("20 seconds")
      assert.deepStrictEqual(failures.map(String), [])
      assert.strictEqual(network.open, 2)
      assert.isAtMost(network.dials, 60)
    })
  )
})
