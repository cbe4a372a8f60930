import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { ManagedSession } from "effect-muxado"
import { makeNetwork } from "../support/managed/network.js"

describe("a managed session that fails fast", () => {
  it.scoped("connects again for a call, if it connects on demand and its last attempt has failed", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: (session) => session.serve(() => Effect.void) })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: network.connect,
        dial: "OnDemand",
        openTimeout: "FailFast"
      })
      const call = Effect.exit(session.withStream(() => Effect.void))
      assert.strictEqual((yield* call)._tag, "Failure")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* session.status.get)._tag, "Idle")
      network.mode = "Serve"
      assert.strictEqual((yield* call)._tag, "Success")
      assert.strictEqual(network.dials, 2)
    })
  )
})
