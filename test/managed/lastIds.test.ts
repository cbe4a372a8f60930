import { assert, describe } from "@effect/vitest"
import { vi } from "vitest"
import { Effect, Fiber, Schedule } from "effect"
import { ManagedSession, MuxStream } from "effect-muxado"
import { call, echo, exchange, recorded } from "../support/managed/calls.js"
import type * as ResolvedOptions from "../../src/ResolvedOptions.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

/** The first id of the next session of a client; no option of the library sets it. */
const first = vi.hoisted((): { ids: Array<number> } => ({ ids: [] }))

vi.mock("../../src/ResolvedOptions.js", async (original) => {
  const module = await original<typeof ResolvedOptions>()
  return {
    ...module,
    toConnectionOptions: (...args: Parameters<typeof module.toConnectionOptions>) => {
      const firstStreamId = args[0] === "client" ? first.ids.shift() : undefined
      return { ...module.toConnectionOptions(...args), ...(firstStreamId === undefined ? {} : { firstStreamId }) }
    }
  }
})

const LAST = 0x7fffffff
const second = { reconnect: Schedule.spaced("1 second") }

describe("a session whose stream ids run out", () => {
  virtually("is replaced before, and no call fails", () =>
    Effect.gen(function* () {
      first.ids = [LAST - 20_100]
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const events = yield* recorded(session)
      for (let i = 0; i < 200; i++) assert.strictEqual(yield* call(session, `${i}`), `${i} 0`)
      yield* Effect.sleep("1 minute")
      assert.deepStrictEqual(
        events.map((event) => (event._tag === "Moving" ? event.reason : event._tag)),
        ["Connected", "StreamIds", "Connected"]
      )
      assert.strictEqual(network.dials, 2)
      assert.strictEqual(network.open, 1)
    })
  )

  virtually("at the very end: a burst of calls takes the last ids, and the others go to the next session", () =>
    Effect.gen(function* () {
      first.ids = [LAST - 20, LAST - 20]
      const network = yield* makeNetwork({ handler: echo, link: { latency: 5 } })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const answers = yield* Effect.forEach(Array.from({ length: 100 }), (_, i) => call(session, `${i}`), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        answers,
        Array.from({ length: 100 }, (_, i) => `${i} 0`)
      )
    })
  )

  virtually("keeps its long streams while it is replaced", () =>
    Effect.gen(function* () {
      first.ids = [LAST - 20]
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const long = yield* Effect.fork(
        session.withStream((stream) =>
          MuxStream.write(stream, "x").pipe(
            Effect.zipRight(Effect.sleep("10 seconds")),
            Effect.zipRight(exchange(stream, "y"))
          )
        )
      )
      yield* Effect.sleep("2 seconds")
      assert.strictEqual(yield* call(session, "a"), "a 0")
      assert.strictEqual(network.dials, 2)
      assert.strictEqual(yield* Fiber.join(long), "xy 0")
    })
  )
})
