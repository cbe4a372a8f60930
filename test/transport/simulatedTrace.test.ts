import { assert, describe, it } from "@effect/vitest"
import { SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { TransportService } from "../../src/Transport.js"
import { ending } from "../support/session/sessionTest.js"
import { assertSameBytes, noise, readToEnd, writeInBatches } from "../support/transport/suite.js"

/** Every read of the transport with its time, counted from now, up to the failure that ends it. */
const readAll = (transport: TransportService) =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    const seen: Array<readonly [number, Uint8Array | string]> = []
    for (;;) {
      const next = yield* Effect.either(transport.read)
      const at = (yield* Clock.currentTimeMillis) - start
      seen.push([at, next._tag === "Right" ? next.right : next.left.reason])
      if (next._tag === "Left") return seen
    }
  })

const hello = new TextEncoder().encode("hello")

describe("the trace of a simulated link", () => {
  it.scoped("has each event, its time, its direction and its bytes", () =>
    Effect.gen(function* () {
      const pair = yield* SimulatedTransport.makePair({
        latency: 20,
        seed: 7,
        trace: { bytes: true },
        faults: { clientToServer: { corruptAt: { at: 1, xor: 1 } } }
      })
      yield* pair.client.write([hello])
      yield* VirtualTime.run(pair.server.read)
      yield* pair.inject({ serverToClient: { blackHole: "1 minute" }, server: { neverEnd: true } })
      yield* pair.client.end
      yield* VirtualTime.run(Effect.flip(pair.server.read))
      yield* pair.server.destroy
      yield* VirtualTime.run(Effect.flip(pair.client.read))
      const trace = yield* pair.trace
      assert.deepStrictEqual(trace, {
        seed: 7,
        dropped: 0,
        events: [
          { at: 0, direction: "clientToServer", event: "fault", bytes: 0, detail: 'corruptAt {"at":1,"xor":1}' },
          { at: 0, direction: "clientToServer", event: "write", bytes: 5, hex: "68656c6c6f" },
          { at: 0, direction: "clientToServer", event: "corrupted", bytes: 1, hex: "64", detail: "byte 1 by 0x1" },
          { at: 20, direction: "clientToServer", event: "read", bytes: 5, hex: "68646c6c6f" },
          { at: 20, direction: "serverToClient", event: "fault", bytes: 0, detail: 'blackHole "1 minute"' },
          { at: 20, direction: "serverToClient", event: "fault", bytes: 0, detail: "server neverEnd" },
          { at: 20, direction: "clientToServer", event: "end", bytes: 0 },
          { at: 40, direction: "clientToServer", event: "ended", bytes: 0 },
          { at: 40, direction: "serverToClient", event: "destroy", bytes: 0 },
          { at: 60, direction: "serverToClient", event: "reset", bytes: 0 }
        ]
      })
      assert.deepStrictEqual(JSON.parse(JSON.stringify(trace)), trace)
      assert.deepStrictEqual(SimulatedTransport.printTrace(trace).split("\n"), [
        "seed 7, 10 events",
        '        0 ms  client -> server  fault      corruptAt {"at":1,"xor":1}',
        "        0 ms  client -> server  write      5 bytes  68656c6c6f",
        "        0 ms  client -> server  corrupted  1 byte  byte 1 by 0x1  64",
        "       20 ms  client -> server  read       5 bytes  68646c6c6f",
        '       20 ms  client <- server  fault      blackHole "1 minute"',
        "       20 ms  client <- server  fault      server neverEnd",
        "       20 ms  client -> server  end",
        "       40 ms  client -> server  ended",
        "       40 ms  client <- server  destroy",
        "       60 ms  client <- server  reset"
      ])
    })
  )

  it.scoped("has no bytes unless it is asked for them, and has events of lost bytes and refused writes", () =>
    Effect.gen(function* () {
      const pair = yield* SimulatedTransport.makePair({ faults: { clientToServer: { blackHoleAt: 2 } } })
      yield* pair.client.write([hello])
      yield* pair.server.read
      yield* pair.cut
      yield* Effect.flip(pair.client.write([hello]))
      yield* Effect.flip(pair.client.write([hello]))
      const { events } = yield* pair.trace
      assert.deepStrictEqual(
        events.map(({ bytes, direction, event, hex }) => [event, direction, bytes, hex]),
        [
          ["fault", "clientToServer", 0, undefined],
          ["write", "clientToServer", 5, undefined],
          ["lost", "clientToServer", 3, undefined],
          ["read", "clientToServer", 2, undefined],
          ["fault", "both", 0, undefined],
          ["refused", "clientToServer", 0, undefined]
        ]
      )
    })
  )

  it.scoped("keeps no more events than its limit, and says how many are missing", () =>
    Effect.gen(function* () {
      for (const writes of [5, 10, 11, 500]) {
        const pair = yield* SimulatedTransport.makePair({ bufferSize: 1_000_000, trace: { limit: 10 } })
        for (let i = 1; i <= writes; i++) yield* pair.client.write([new Uint8Array(i)])
        const { dropped, events } = yield* pair.trace
        assert.strictEqual(events.length, Math.min(10, writes))
        assert.strictEqual(dropped, writes - events.length)
        assert.strictEqual(events[events.length - 1]?.bytes, writes)
      }
      const none = yield* SimulatedTransport.makePair({ trace: { limit: 0 } })
      yield* none.client.write([hello])
      assert.deepStrictEqual(yield* none.trace, { seed: 0, dropped: 1, events: [] })
      assert.strictEqual(SimulatedTransport.printTrace(yield* none.trace), "seed 0, 0 events, 1 before them dropped")
    })
  )
})

describe("a replayed trace", () => {
  it.effect.prop(
    "returns the same bytes, in the same chunks, at the same times, with the same end",
    [
      fc.record({
        latency: fc.constantFrom(0, 7),
        jitter: fc.constantFrom(0, 30),
        chunking: fc.constantFrom<Array<SimulatedTransport.Options["chunking"]>>("whole", "joined", {
          min: 1,
          max: 90
        }),
        seed: fc.integer(),
        faults: fc.constantFrom<Array<SimulatedTransport.Faults>>(
          {},
          { clientToServer: { cutAt: 333, corruptAt: [3, 300] } }
        )
      }),
      fc.nat()
    ],
    ([link, seed]) =>
      Effect.gen(function* () {
        const pair = yield* SimulatedTransport.makePair({ ...link, bufferSize: 128, trace: { bytes: true } })
        yield* Effect.fork(Effect.zipRight(writeInBatches(pair.client, noise(500, seed), seed), pair.client.end))
        const original = yield* readAll(pair.server)
        // what was kept as text is as good
        const trace = JSON.parse(JSON.stringify(yield* pair.trace)) as SimulatedTransport.Trace

        const { remaining, transport } = yield* SimulatedTransport.replay(trace, { direction: "clientToServer" })
        assert.isAbove(yield* remaining, 0)
        assert.deepStrictEqual(yield* readAll(transport), original)
        assert.strictEqual(yield* remaining, 0)

        const untimed = yield* SimulatedTransport.replay(trace, { direction: "clientToServer", timing: "none" })
        assert.deepStrictEqual(
          yield* readAll(untimed.transport),
          original.map(([, what]) => [0, what] as const)
        )
      }).pipe(Effect.scoped, VirtualTime.run),
    { fastCheck: { numRuns: 20 } }
  )

  const recorded = Effect.gen(function* () {
    const pair = yield* SimulatedTransport.makePair({ latency: 5, trace: { bytes: true } })
    yield* pair.server.write([hello])
    yield* VirtualTime.run(pair.client.read)
    return yield* pair.trace
  })

  it.scoped("is silent after the last event of the trace, or ends as the option says", () =>
    Effect.gen(function* () {
      const trace = yield* recorded
      const play = (ending: SimulatedTransport.ReplayOptions["ending"]) =>
        Effect.map(
          SimulatedTransport.replay(trace, { direction: "serverToClient", timing: "none", ending }),
          (replay) => replay.transport
        )
      assert.deepStrictEqual(yield* readToEnd(yield* play("end")), [hello, "Ended"])
      const reset = yield* play("reset")
      assert.deepStrictEqual(yield* readToEnd(reset), [hello, "Read"])
      assert.strictEqual((yield* Effect.flip(reset.write([hello]))).initiator, "Remote")
      for (const ending of ["recorded", "silence"] as const) {
        const transport = yield* play(ending)
        const reading = yield* Effect.fork(readToEnd(transport))
        yield* TestClock.adjust("1 hour")
        assert.isTrue(Option.isNone(yield* Fiber.poll(reading)))
        yield* transport.destroy
        assert.deepStrictEqual(yield* Fiber.join(reading), [hello, "Read"])
        assert.strictEqual((yield* Effect.flip(transport.write([hello]))).initiator, "Local")
      }
    })
  )

  it.scoped("records written bytes, and accepts no more after an end", () =>
    Effect.gen(function* () {
      const { transport, written } = yield* SimulatedTransport.replay(yield* recorded, { direction: "serverToClient" })
      yield* transport.write([hello, hello])
      yield* transport.end
      assert.strictEqual((yield* Effect.flip(transport.write([hello]))).reason, "Write")
      assertSameBytes(yield* written, new Uint8Array([...hello, ...hello]))
    })
  )

  it.scoped("loses no bytes to interrupted reads", () =>
    Effect.gen(function* () {
      const { transport } = yield* SimulatedTransport.replay(yield* recorded, { direction: "serverToClient" })
      const reading = yield* Effect.fork(transport.read)
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(reading)
      assert.deepStrictEqual(yield* VirtualTime.run(transport.read), hello)
    })
  )

  it.scoped("refuses a trace without its bytes, or without its beginning", () =>
    Effect.gen(function* () {
      const play = (trace: SimulatedTransport.Trace) =>
        Effect.exit(SimulatedTransport.replay(trace, { direction: "clientToServer" }))
      const record = (options: SimulatedTransport.TraceOptions) =>
        Effect.gen(function* () {
          const pair = yield* SimulatedTransport.makePair({ trace: options })
          yield* pair.client.write([hello])
          yield* pair.server.read
          return yield* pair.trace
        })
      for (const trace of [yield* record({}), yield* record({ bytes: true, limit: 1 })]) {
        const exit = yield* play(trace)
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof RangeError)
      }
      assert.isTrue(Exit.isSuccess(yield* play(yield* record({ bytes: true }))))
    })
  )
})

it.effect("a link that is used after its scope fails, and its trace can still be read", () =>
  Effect.gen(function* () {
    const link = yield* Effect.scoped(SimulatedTransport.makePair({ trace: { bytes: true } }))
    assert.match(yield* ending(link.client.read), /^fails TransportFailed/)
    assert.match(yield* ending(link.server.write([new Uint8Array(1)])), /^fails TransportFailed/)
    assert.isString(SimulatedTransport.printTrace(yield* link.trace))
  })
)
