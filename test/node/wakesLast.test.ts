/** A fiber that runs inside the call that wakes it finds the transport in its new state. */
import { assert, describe, it } from "@effect/vitest"
import { NodeTransport } from "effect-muxado/node"
import type { Transport } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Duplex } from "node:stream"
import { eagerly } from "../support/eagerScheduler.js"
import { duplexPair } from "../support/node/support.js"

const CUT = new Error("cut")

/** What ends a transport, and the message that both directions fail with. */
const endings: ReadonlyArray<
  readonly [string, (duplex: Duplex, transport: Transport.TransportService) => Effect.Effect<void>, string]
> = [
  ["destroy", (_duplex, { destroy }) => destroy, "The transport was destroyed"],
  ["an error of the Duplex", (duplex) => Effect.sync(() => void duplex.emit("error", CUT)), "cut"],
  [
    "a write that throws",
    (duplex, { write }) => {
      duplex.write = () => {
        throw CUT
      }
      return Effect.ignore(write([Uint8Array.of(1)]))
    },
    "cut"
  ]
]

describe("on a scheduler that runs each task at once", () => {
  for (const [what, end, message] of endings) {
    it.scopedLive(`a reader that ${what} wakes can no longer read or write`, () =>
      Effect.gen(function* () {
        const [near] = duplexPair()
        const transport = yield* NodeTransport.fromDuplex(near)
        const seen: Array<string> = []
        const reading = yield* Effect.fork(
          Effect.gen(function* () {
            seen.push((yield* Effect.flip(transport.read)).message)
            seen.push((yield* Effect.flip(transport.write([Uint8Array.of(1)]))).message)
            seen.push((yield* Effect.flip(transport.read)).message)
          })
        )
        yield* Effect.yieldNow()
        assert.deepStrictEqual(seen, [])
        yield* end(near, transport)
        yield* Fiber.join(reading)
        assert.lengthOf(seen, 3)
        for (const said of seen) assert.include(said, message)
      }).pipe(eagerly)
    )
  }

  it.scopedLive("a writer that is woken by the end of the transport finds it ended", () =>
    Effect.gen(function* () {
      const [near] = duplexPair()
      const transport = yield* NodeTransport.fromDuplex(near)
      const writing = yield* Effect.fork(Effect.flip(Effect.forever(transport.write([new Uint8Array(20_000)]))))
      yield* Effect.yieldNow()
      const ending = yield* Effect.fork(transport.end)
      const error = yield* Fiber.join(writing)
      assert.include(error.message, "The transport was ended")
      assert.isTrue(near.writableEnded)
      yield* transport.destroy
      yield* Fiber.join(ending)
    }).pipe(eagerly)
  )
})
