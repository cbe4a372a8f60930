import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import { SimulatedSessions, SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"

/** A turn of real time. */
const real = (millis: number) =>
  Effect.async<void>((resume) => {
    setTimeout(() => resume(Effect.void), millis)
  })

/** What is logged, and the effect with a logger that keeps it. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return Effect.as(Effect.provide(effect, Logger.add(logger)), lines)
}

describe("a TestClock that does not move while a link waits for time", () => {
  it.scoped("gives one warning, with what waits and what to do", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.scoped(
          Effect.gen(function* () {
            const link = yield* SimulatedTransport.makePair({ latency: "20 millis" })
            yield* link.client.write([new Uint8Array(3)])
            const reading = yield* Effect.fork(link.server.read)
            yield* real(3000)
            yield* TestClock.adjust("20 millis")
            yield* Fiber.join(reading)
          })
        )
      )
      assert.deepStrictEqual(
        lines.map((line) => line.split("\n  ")),
        [
          [
            "A simulated link waits for time, but the TestClock does not move (it is at 0 ms)",
            "server: its read waits until 20 ms: bytes from the peer are on their way",
            "Advance the clock: fork the program and call TestClock.adjust, or run the program with VirtualTime.run"
          ]
        ]
      )
    })
  )

  it.scoped("gives its warning on the console if there is no logger, as in it.effect", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const console: Console.Console = {
        ...(yield* Console.consoleWith((console) => Effect.succeed(console))),
        warn: (line: unknown) => Effect.sync(() => void lines.push(line))
      }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { client, link } = yield* SimulatedSessions.make({ both: { heartbeat: false } })
          yield* link.blackHole
          yield* MuxStream.write(yield* client.open(), new Uint8Array(3))
          yield* real(3000)
        })
      ).pipe(Effect.withConsole(console))
      assert.strictEqual(lines.length, 1)
      assert.include(String(lines[0]), "server: its read waits: a black hole drops what the peer sends")
    })
  )

  it.scoped("gives no warning if nothing is in transit, or if the clock moves", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.scoped(
          Effect.gen(function* () {
            yield* SimulatedSessions.make()
            const link = yield* SimulatedTransport.makePair({ latency: "1 hour" })
            yield* real(1500)
            yield* link.client.write([new Uint8Array(3)])
            yield* Effect.fork(link.server.read)
            for (let moved = 0; moved < 15; moved++) yield* Effect.zipRight(real(100), TestClock.adjust(1))
          })
        )
      )
      assert.deepStrictEqual(lines, [])
    })
  )

  it.effect("gives no warning inside VirtualTime.run", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.scoped(
          Effect.gen(function* () {
            const link = yield* SimulatedTransport.makePair({ latency: "1 hour" })
            yield* link.client.write([new Uint8Array(3)])
            yield* link.server.read
          })
        ).pipe(VirtualTime.run)
      )
      assert.deepStrictEqual(lines, [])
    })
  )
})
