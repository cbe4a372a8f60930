import { assert, describe, it } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import { SimulatedSessions, SimulatedTransport, VirtualTime } from "effect-muxado/testing"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { eagerly } from "../support/eagerScheduler.js"
import { ending, quick } from "../support/session/sessionTest.js"

const notDone = <A>(effect: Effect.Effect<A>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : assert.fail("it was done")
    assert.instanceOf(error, VirtualTime.NotDone)
    return error
  })

describe("VirtualTime.run", () => {
  it.effect("advances time until the program is done, and no further", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const ticking = Effect.forEach([5, 1000, 0.5, 1_800_000], (millis) =>
        Effect.zipRight(
          Effect.sleep(millis),
          Effect.map(Clock.currentTimeMillis, (now) => seen.push(now))
        )
      )
      const result = yield* VirtualTime.run(Effect.as(Effect.zip(ticking, Effect.sleep(1), { concurrent: true }), 7))
      assert.strictEqual(result, 7)
      assert.deepStrictEqual(seen, [5, 1005, 1005.5, 1_801_005.5])
      assert.strictEqual(yield* Clock.currentTimeMillis, 1_801_005.5)
    })
  )

  it.effect("waits for work in real time, too", () =>
    VirtualTime.run(
      Effect.zipRight(
        Effect.sleep("1 minute"),
        Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 30)))
      )
    )
  )

  it.effect("passes failures on", () =>
    Effect.gen(function* () {
      const failing = Effect.zipRight(Effect.sleep(10), Effect.fail("no"))
      assert.strictEqual(yield* Effect.flip(VirtualTime.run(failing)), "no")
    })
  )

  it.effect("finds a program that hangs, and interrupts it", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const hanging = Effect.sleep("1 minute").pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
      )
      const error = yield* notDone(VirtualTime.run(hanging))
      assert.deepStrictEqual([error.reason, error.after], ["Deadlock", 60_000])
      assert.include(error.message, "the program hangs")
      yield* Deferred.await(interrupted)
    })
  )

  it.effect("advances time at most to its limit", () =>
    Effect.gen(function* () {
      const error = yield* notDone(VirtualTime.run(Effect.forever(Effect.sleep("4 seconds")), { limit: "10 seconds" }))
      assert.deepStrictEqual([error.reason, error.after], ["Limit", 8000])
      assert.include(error.message, "the limit")
    })
  )

  it.effect("interrupts the program when it is interrupted", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const running = yield* Effect.never.pipe(
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined)),
        VirtualTime.run,
        Effect.fork
      )
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(running)
      yield* Deferred.await(interrupted)
    })
  )

  it.effect("lets fibers outside of it sleep on the same clock", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const note = (what: string) => Effect.map(Clock.currentTimeMillis, (now) => void seen.push(`${what} ${now}`))
      yield* Effect.fork(Effect.repeatN(Effect.zipRight(Effect.sleep(400), note("outside")), 2))
      yield* VirtualTime.run(Effect.repeatN(Effect.zipRight(Effect.sleep(500), note("inside")), 1))
      assert.deepStrictEqual(seen, ["outside 400", "inside 500", "outside 800", "inside 1000"])
      yield* TestClock.adjust(200)
      assert.strictEqual(seen.at(-1), "outside 1200")
    })
  )

  it.effect("moves sleeps that are pending at its end to the TestClock", () =>
    Effect.gen(function* () {
      const sleeping = yield* VirtualTime.run(
        Effect.zipLeft(Effect.forkDaemon(Effect.zipRight(Effect.sleep(100), Effect.sleep(50))), Effect.sleep(30))
      )
      yield* TestClock.adjust(119)
      assert.isNull(sleeping.unsafePoll())
      yield* TestClock.adjust(1)
      assert.isNotNull(sleeping.unsafePoll())
    })
  )

  it.effect("an adjust that is not complete when the program is done completes on the TestClock", () =>
    Effect.gen(function* () {
      const adjusting = yield* VirtualTime.run(
        Effect.zipLeft(Effect.forkDaemon(TestClock.adjust(100)), Effect.sleep(30))
      )
      yield* TestClock.adjust(100)
      assert.isNotNull(adjusting.unsafePoll())
    })
  )

  it.effect(
    "a fiber that sleeps again inside the call that wakes it, and wakes others there, keeps the order of time",
    () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const note = (what: string) => Effect.map(Clock.currentTimeMillis, (now) => void seen.push(`${what} ${now}`))
        const ticking = (name: string, millis: number) =>
          Effect.repeatN(Effect.zipRight(Effect.sleep(millis), note(name)), 3)
        const program = Effect.gen(function* () {
          const late = yield* Effect.fork(Effect.zipRight(Effect.sleep(20), note("late")))
          yield* Effect.all([ticking("a", 10), ticking("b", 10), ticking("c", 25)], { concurrency: "unbounded" })
          yield* Fiber.join(late)
          yield* TestClock.adjust(5)
          yield* note("adjusted")
        })
        yield* eagerly(VirtualTime.run(program))
        assert.deepStrictEqual(seen, [
          ...[
            "a 10",
            "b 10",
            "late 20",
            "a 20",
            "b 20",
            "c 25",
            "a 30",
            "b 30",
            "a 40",
            "b 40",
            "c 50",
            "c 75",
            "c 100"
          ],
          "adjusted 105"
        ])
      })
  )

  it.effect("lets a program adjust the clock itself, and sleeps end in order meanwhile", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const ticking = Effect.forever(
        Effect.zipRight(
          Effect.sleep(10),
          Effect.map(Clock.currentTimeMillis, (now) => seen.push(now))
        )
      )
      yield* VirtualTime.run(
        Effect.gen(function* () {
          yield* Effect.fork(ticking)
          yield* TestClock.adjust(35)
          assert.deepStrictEqual(seen, [10, 20, 30])
          yield* TestClock.setTime(40)
          assert.deepStrictEqual(seen, [10, 20, 30, 40])
        })
      )
      assert.strictEqual(yield* Clock.currentTimeMillis, 40)
    })
  )

  it.effect("forgets a sleep that was interrupted", () =>
    Effect.gen(function* () {
      const error = yield* notDone(
        VirtualTime.run(Effect.zipRight(Effect.timeout(Effect.sleep("1 hour"), 10).pipe(Effect.ignore), Effect.never))
      )
      assert.deepStrictEqual([error.reason, error.after], ["Deadlock", 10])
    })
  )

  it.live("says that it needs a TestClock", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(VirtualTime.run(Effect.void))
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "VirtualTime.run needs a TestClock")
    })
  )
})

describe("sessions with heartbeats, in virtual time", () => {
  /** A second each way: both sides send a heartbeat after `interval` of silence, and hear its echo 2 seconds later. */
  const idle = (hours: number, interval: number) =>
    Effect.gen(function* () {
      const { link } = yield* SimulatedSessions.make({
        link: { latency: "1 second", trace: { limit: 1_000_000 } },
        both: { heartbeat: { interval, tolerance: "5 seconds" } }
      })
      yield* Effect.sleep(hours * 3_600_000)
      return yield* link.trace
    }).pipe(Effect.scoped, VirtualTime.run)

  const writes = (trace: SimulatedTransport.Trace, direction: SimulatedTransport.Direction) =>
    trace.events.filter((event) => event.direction === direction && event.event === "write").map(({ at }) => at)

  for (const [name, hours, interval] of [
    ["an hour", 1, 10_000],
    ["a day", 24, 60_000]
  ] as const) {
    it.effect(`send exactly the expected number in ${name}`, () =>
      Effect.gen(function* () {
        const trace = yield* idle(hours, interval)
        const end = hours * 3_600_000
        for (const direction of ["clientToServer", "serverToClient"] as const) {
          const times = writes(trace, direction)
          // a heartbeat, what answers the peer's, and so on after as much silence
          const perBeat = times.findIndex((at, index) => at - (times[index - 1] ?? at) > 5000)
          const [first = NaN, second = NaN] = [times[0], times[perBeat]]
          const period = second - first
          assert.strictEqual(first, interval)
          assert.isTrue(interval + 1000 < period && period < interval + 4000, `${period}`)
          const expected = Array.from(
            { length: Math.ceil((end / period) * perBeat) + perBeat },
            (_, index) => (times[index % perBeat] ?? NaN) + period * Math.floor(index / perBeat)
          ).filter((at) => at < end)
          assert.isTrue(times.length === expected.length && times.every((at, index) => at === expected[index]))
        }
      })
    )
  }

  it.effect("give the same run each time", () =>
    Effect.gen(function* () {
      const conversation = Effect.gen(function* () {
        const { client, link, server } = yield* SimulatedSessions.make({
          link: {
            latency: 20,
            jitter: 9,
            bandwidth: 50_000,
            chunking: { min: 1, max: 99 },
            seed: 3,
            trace: { bytes: true }
          }
        })
        yield* Effect.fork(
          server.serve((stream) => Effect.flatMap(MuxStream.readAll(stream), (all) => MuxStream.write(stream, all)))
        )
        yield* Effect.forEach(
          [10, 2000, 300],
          (size) =>
            client.withStream((stream) =>
              Effect.gen(function* () {
                yield* MuxStream.write(stream, new Uint8Array(size))
                yield* MuxStream.finish(stream)
                yield* MuxStream.readAll(stream)
                yield* Effect.sleep("40 seconds")
              })
            ),
          { concurrency: 2 }
        )
        return yield* link.trace
      }).pipe(Effect.scoped, VirtualTime.run)
      const first = yield* conversation
      assert.isAbove(first.events.length, 100)
      assert.deepStrictEqual(yield* conversation, first)
    })
  )
})

describe("the error NotDone", () => {
  it.effect("names what each side of each link waits for, and why", () =>
    Effect.gen(function* () {
      const error = yield* notDone(
        Effect.gen(function* () {
          const full = yield* SimulatedTransport.makePair({ bufferSize: 10 })
          const faulty = yield* SimulatedTransport.makePair({
            faults: {
              client: { neverEnd: true },
              clientToServer: { stallWrites: true },
              serverToClient: { blackHole: true }
            }
          })
          yield* faulty.server.write([new Uint8Array(7)])
          yield* Effect.all(
            [
              full.client.write([new Uint8Array(30)]),
              full.client.read,
              faulty.client.write([new Uint8Array(5)]),
              faulty.client.read,
              faulty.server.read,
              faulty.server.end
            ],
            { concurrency: "unbounded" }
          )
        }).pipe(Effect.scoped, Effect.orDie, VirtualTime.run)
      )
      assert.deepStrictEqual(error.message.split("\n  "), [
        "Not done after 0 ms of virtual time, and no sleep is pending: the program hangs",
        "link 1, client: its write waits: 20 bytes not written yet, and the link's buffer is full (10 of 10 bytes): the peer does not read",
        "link 1, client: its read waits: the peer has sent nothing",
        "link 2, client: its write waits: 5 bytes not written yet, and a fault (stallWrites) blocks further writes",
        "link 2, client: its read waits: a black hole drops what the peer sends (7 bytes so far)",
        "link 2, server: its read waits: the peer has sent nothing",
        "link 2, server: its end waits: a black hole drops the end"
      ])
    })
  )

  it.effect("says what the sessions over a link have open, also at the limit", () =>
    Effect.gen(function* () {
      const hanging = Effect.gen(function* () {
        const { client, server } = yield* SimulatedSessions.make()
        yield* Effect.fork(server.serve(() => Effect.never))
        yield* client.withStream((stream) =>
          Effect.zipRight(MuxStream.write(stream, new Uint8Array(5)), MuxStream.readAll(stream))
        )
      }).pipe(Effect.scoped, Effect.orDie)
      const error = yield* notDone(VirtualTime.run(hanging, { limit: "1 hour" }))
      assert.strictEqual(error.reason, "Limit")
      assert.include(error.message, "client's session: 1 stream open")
      assert.include(error.message, "server's session: 1 stream open, 5 bytes received and not read")
    })
  )
})

it.effect("VirtualTime.run outside of a TestClock says what it needs", () =>
  Effect.gen(function* () {
    const seen = yield* ending(VirtualTime.run(Effect.void))
    assert.match(seen, /needs a TestClock/)
  }).pipe(Effect.withClock(Clock.make()))
)

it.effect("VirtualTime.run of a session that hangs dies with what the session waits for", () =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(
      SimulatedSessions.make({ both: { ...quick, heartbeat: false } }).pipe(
        Effect.flatMap(({ client }) => client.accept),
        Effect.scoped,
        VirtualTime.run
      )
    )
    assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("NotDone"))
  })
)
