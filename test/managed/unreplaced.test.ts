import { assert, describe } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { ManagedSession } from "effect-muxado"
import { call, echo } from "../support/managed/calls.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

describe("a session that is too old, and that no new one replaces", () => {
  virtually("ends when the schedule of reconnects ends", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        maxAge: "1 minute",
        reconnect: Schedule.recurs(2)
      })
      yield* call(session, "a")
      network.mode = "Refuse"
      yield* Effect.sleep("2 minutes")
      assert.strictEqual((yield* session.status.get)._tag, "Closed")
      assert.strictEqual(network.open, 0, "a connection is open after Closed")
    })
  )

  virtually("ends when an error is final, and calls fail at once", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        maxAge: "1 minute",
        isFinal: () => true
      })
      yield* call(session, "a")
      network.mode = "Refuse"
      yield* Effect.sleep("2 minutes")
      assert.strictEqual((yield* session.status.get)._tag, "Failed")
      assert.strictEqual(network.open, 0, "a connection is open while Failed")
    })
  )

  virtually("leaves its slot Idle when it is lost, and nothing wants a session", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({
        connect: network.connect,
        dial: "OnDemand",
        maxAge: "1 minute",
        reconnect: Schedule.spaced("1 second")
      })
      yield* call(session, "a")
      network.mode = "Refuse"
      yield* Effect.sleep("2 minutes")
      yield* network.kill
      yield* Effect.sleep("10 seconds")
      assert.strictEqual((yield* session.status.get)._tag, "Idle")
      const { dials } = network
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.dials, dials)
    })
  )
})
