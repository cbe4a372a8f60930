import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { ManagedSession, type Session } from "effect-muxado"
import { makeNetwork, type Network } from "../support/managed/network.js"

const serve = (session: Session.SessionService) => session.serve(() => Effect.void)

/** From now on, no byte of a server arrives. */
const goSilent = (network: Network) =>
  Effect.forEach(network.connections, ({ link }) => link.inject({ serverToClient: { blackHole: true } }), {
    discard: true
  })

const failureOf = <A, E>(exit: Exit.Exit<A, E>): E | undefined =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : undefined

describe("probes of a managed session", () => {
  it.scoped("a call that probes one dead session after the other fails after openTimeout", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: serve })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        size: 3,
        openTimeout: "5 seconds",
        probeAfter: "50 millis",
        probeTimeout: "2 seconds"
      })
      yield* TestClock.adjust("1 second")
      yield* goSilent(network)
      const calling = yield* Effect.fork(Effect.exit(session.withStream(() => Effect.void)))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.poll(calling))._tag, "Some", "the call still waits")
      assert.strictEqual(failureOf(yield* Fiber.join(calling))?._tag, "SessionUnavailable")
    })
  )

  it.scoped("a call uses the session that has answered its probe, and does not probe the others", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: serve, link: { latency: "80 millis" } })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        size: 3,
        openTimeout: "10 seconds",
        probeAfter: "50 millis"
      })
      yield* TestClock.adjust("2 seconds")
      const calling = yield* Effect.fork(session.withStream(() => Effect.void))
      yield* TestClock.adjust("200 millis")
      assert.strictEqual((yield* Fiber.poll(calling))._tag, "Some", "the call still probes")
    })
  )

  it.scoped("a probe counts although the call that waited for it was interrupted", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: serve })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        probeAfter: "1 second",
        probeTimeout: "4 seconds"
      })
      const failed = yield* Effect.fork(
        Stream.runHead(Stream.filter(session.events, ({ _tag }) => _tag === "ProbeFailed"))
      )
      yield* TestClock.adjust("2 seconds")
      yield* goSilent(network)
      const calling = yield* Effect.fork(session.withStream(() => Effect.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(calling)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.poll(failed))._tag, "Some", "the session is still used")
    })
  )

  it.scoped("a failed probe names its connection, also if that session was lost meanwhile", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: serve })
      const session = yield* ManagedSession.make({ connect: network.connect, probeAfter: "1 second" })
      const failed = yield* Effect.fork(
        Stream.runHead(Stream.filter(session.events, ({ _tag }) => _tag === "ProbeFailed"))
      )
      yield* TestClock.adjust("2 seconds")
      yield* goSilent(network)
      yield* Effect.fork(Effect.exit(session.withStream(() => Effect.void)))
      yield* TestClock.adjust("1 second")
      yield* network.kill
      yield* TestClock.adjust("1 second")
      const event = yield* Effect.flatten(Fiber.join(failed))
      assert.strictEqual(event.connection, 0)
    })
  )
})
