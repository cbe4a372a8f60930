import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Scope } from "effect"
import { ManagedSession, MuxadoError, MuxStream } from "effect-muxado"
import { call, echo, settle } from "../support/managed/calls.js"
import { makeNetwork, type Network } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

interface Started {
  readonly options: ManagedSession.ManagingOptions
  readonly before?: (network: Network) => void
  readonly arrive?: (network: Network, session: ManagedSession.ManagedSessionService) => Effect.Effect<unknown, unknown>
}

const hour = Schedule.spaced("1 hour")

const states: Record<string, Started> = {
  Idle: { options: { dial: "OnDemand" } },
  Connecting: { options: {}, before: (network) => (network.mode = "Hang") },
  Backoff: { options: { reconnect: hour }, before: (network) => (network.mode = "Refuse") },
  Connected: { options: {} },
  Moving: {
    options: { reconnect: hour, connectTimeout: "1 hour" },
    arrive: (network, session) =>
      Effect.gen(function* () {
        yield* call(session, "a")
        yield* Effect.sleep("1 minute")
        network.mode = "Hang"
        yield* Effect.fork(network.connections[0]?.session?.goAway() ?? Effect.void)
        yield* settle
      })
  },
  Failed: { options: { isFinal: () => true }, before: (network) => (network.mode = "Refuse") },
  Closed: {
    options: { reconnect: Schedule.recurs(0) },
    before: (network) => (network.mode = "Refuse")
  }
}

const endings: Record<
  string,
  (session: ManagedSession.ManagedSessionService, scope: Scope.CloseableScope) => Effect.Effect<unknown>
> = {
  "the scope closes": (_, scope) => Scope.close(scope, Exit.void),
  "`close`": (session) => session.close,
  "`drain`": (session) => session.drain(),
  "`drain` with no grace": (session) => session.drain(0),
  "`closeWith`": (session) => session.closeWith({ code: 300, debug: "bye" })
}

const ways: Record<string, (ending: Effect.Effect<unknown>) => Effect.Effect<unknown>> = {
  once: (ending) => ending,
  twice: (ending) => Effect.zipRight(ending, ending),
  "twice at once": (ending) => Effect.zip(ending, ending, { concurrent: true }),
  interrupted: (ending) =>
    Effect.flatMap(Effect.fork(ending), (fiber) => Effect.zipRight(Effect.yieldNow(), Fiber.interrupt(fiber)))
}

for (const [state, { arrive, before, options }] of Object.entries(states)) {
  describe(`in ${state}`, () => {
    for (const [name, ending] of Object.entries(endings)) {
      for (const [times, way] of Object.entries(ways)) {
        virtually(`${name}, ${times}: waiting calls end with a typed error, and nothing is left`, () =>
          Effect.gen(function* () {
            const network = yield* makeNetwork({ handler: echo })
            before?.(network)
            const scope = yield* Scope.make()
            const session = yield* ManagedSession.make({ connect: network.connect, ...options }).pipe(
              Scope.extend(scope)
            )
            yield* settle
            yield* arrive?.(network, session) ?? Effect.void
            const status = (yield* session.status.get)._tag
            assert.strictEqual(status, state)
            if (state === "Idle") network.mode = "Hang"
            const idle = state === "Idle" && times === "once"
            const waits: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
              call(session, "b"),
              session.ping,
              Effect.scoped(session.accept),
              Effect.scoped(session.open())
            ]
            const waiting = yield* Effect.forEach(idle ? [] : waits, (wait) => Effect.fork(Effect.exit(wait)))
            const serving = yield* Effect.fork(idle ? Effect.void : session.serve(() => Effect.void))
            yield* Effect.yieldNow()
            yield* way(ending(session, scope)).pipe(
              Effect.timeoutFail({ duration: "2 minutes", onTimeout: () => `${name} hangs` })
            )
            for (const fiber of waiting) {
              const exit = yield* Fiber.join(fiber).pipe(
                Effect.timeoutFail({ duration: "2 minutes", onTimeout: () => "a call hangs" })
              )
              const error = yield* Effect.flip(Effect.suspend(() => exit)).pipe(Effect.option)
              if (error._tag === "Some") assert.isTrue(MuxadoError.isMuxadoError(error.value), String(error.value))
            }
            yield* Fiber.join(serving).pipe(
              Effect.timeoutFail({ duration: "2 minutes", onTimeout: () => "serve hangs" })
            )
            const reason = yield* session.closed.pipe(
              Effect.timeoutFail({ duration: "2 minutes", onTimeout: () => "closed hangs" })
            )
            assert.isTrue(MuxadoError.isMuxadoError(reason))
            const last = yield* session.status.get
            assert.strictEqual(last._tag, "Closed")
            const late = yield* Effect.flip(call(session, "c"))
            assert.strictEqual(late._tag, state === "Closed" ? "SessionUnavailable" : "SessionClosed", late.message)
            assert.isTrue(MuxadoError.isMuxadoError(late) && late.processed === "no")
            if (name === "`closeWith`" && state !== "Closed") {
              assert.isTrue(
                reason._tag === "SessionClosed" && reason.code === 300 && reason.debug === "bye",
                String(reason)
              )
            }
            assert.isTrue(MuxadoError.isMuxadoError(yield* session.draining))
            const dials = network.dials
            yield* Effect.sleep("2 hours")
            assert.strictEqual(network.dials, dials)
            assert.strictEqual(network.open, 0)
          })
        )
      }
    }
  })
}

describe("an ending from inside", () => {
  for (const [name, ending] of Object.entries(endings)) {
    if (name === "the scope closes") continue
    virtually(`${name} in a handler of serve ends the managed session`, () =>
      Effect.gen(function* () {
        const network = yield* makeNetwork({
          handler: (session) => Effect.ignore(session.withStream((stream) => MuxStream.readAll(stream)))
        })
        const scope = yield* Scope.make()
        const session = yield* ManagedSession.make({ connect: network.connect }).pipe(Scope.extend(scope))
        const serving = yield* Effect.fork(session.serve(() => ending(session, scope)))
        yield* session.closed
        yield* Fiber.join(serving)
        yield* Effect.sleep("1 minute")
        assert.strictEqual(network.open, 0)
        assert.strictEqual(network.dials, 1)
        yield* Scope.close(scope, Exit.void)
      })
    )
    virtually(`${name} in withStream ends the managed session`, () =>
      Effect.gen(function* () {
        const network = yield* makeNetwork({ handler: echo })
        const session = yield* ManagedSession.make({ connect: network.connect })
        yield* Effect.exit(session.withStream(() => ending(session, undefined as never)))
        yield* session.closed
        yield* Effect.sleep("1 minute")
        assert.strictEqual(network.open, 0)
      })
    )
  }

  virtually("`close` in connect ends the managed session", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const box: { session?: ManagedSession.ManagedSessionService } = {}
      const session = yield* ManagedSession.make({
        connect: Effect.zipRight(
          Effect.suspend(() => box.session?.close ?? Effect.void),
          network.connect
        ),
        dial: "OnDemand"
      })
      box.session = session
      const error = yield* Effect.flip(call(session, "a"))
      assert.strictEqual(error._tag, "SessionClosed")
      yield* session.closed
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.open, 0)
    })
  )

  virtually("`reconnect` after the end does nothing", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect })
      yield* call(session, "a")
      yield* session.close
      yield* session.reconnect
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.dials, 1)
      assert.strictEqual((yield* session.status.get)._tag, "Closed")
    })
  )

  virtually("`drain` lets an open stream end, refuses new calls, and then closes", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const stream = yield* session.open()
          yield* MuxStream.write(stream, "long")
          const draining = yield* Effect.fork(session.drain("30 seconds"))
          yield* Effect.sleep("5 seconds")
          assert.strictEqual((yield* session.status.get)._tag, "Draining")
          assert.strictEqual((yield* Effect.flip(call(session, "a")))._tag, "SessionClosed")
          yield* MuxStream.finish(stream)
          assert.strictEqual(new TextDecoder().decode(yield* MuxStream.readAll(stream)), "long 0")
          yield* Fiber.join(draining)
        })
      )
      yield* session.closed
    })
  )

  virtually("`drain` while the server dies does not connect again, and ends", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const stream = yield* session.open()
          yield* MuxStream.write(stream, "long")
          const draining = yield* Effect.fork(session.drain("30 seconds"))
          yield* Effect.sleep("5 seconds")
          yield* network.kill
          yield* Fiber.join(draining)
        })
      )
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.dials, 1)
    })
  )

  virtually("a close raced with an attempt, at each millisecond of it, leaves no transport", () =>
    Effect.gen(function* () {
      for (let delay = 0; delay <= 40; delay += 2) {
        const network = yield* makeNetwork({ handler: echo, link: { latency: 5 } })
        const scope = yield* Scope.make()
        const session = yield* ManagedSession.make({ connect: Effect.delay(network.connect, 10) }).pipe(
          Scope.extend(scope)
        )
        const calling = yield* Effect.fork(Effect.exit(call(session, "a")))
        yield* Effect.sleep(delay)
        yield* delay % 4 === 0 ? session.close : Scope.close(scope, Exit.void)
        yield* Fiber.join(calling)
        yield* Effect.sleep("1 minute")
        assert.strictEqual(network.open, 0, `after ${delay} ms`)
        assert.isAtMost(network.dials, 1)
      }
    })
  )
})
