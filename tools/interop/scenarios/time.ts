/** Heartbeats, and long runs of many streams. */
import { assert } from "@effect/vitest"
import * as Array from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { echo } from "../../../test/support/echo.js"
import type { Cell } from "../cell.js"
import type { Scenario } from "../scenario.js"
import { echoed, eventually, scenario, serving } from "../scenario.js"

const INTERVAL = 200
const TOLERANCE = 1500
const SOAK = Duration.seconds(30)

/** The kernel still takes bytes for a process that is stopped; it is its answers that are missing. */
const stopped = (cell: Cell) => ({
  for: (duration: Duration.DurationInput) =>
    Effect.acquireUseRelease(
      cell.peer.signal("SIGSTOP"),
      () => Effect.sleep(duration),
      () => cell.peer.signal("SIGCONT")
    )
})

export const time: ReadonlyArray<Scenario> = [
  scenario(
    "heartbeats both ways; the peer stops, resumes, and stops for good",
    {
      ours: { heartbeat: { interval: INTERVAL, tolerance: TOLERANCE } },
      theirs: { heartbeat: { intervalMs: INTERVAL / 2, toleranceMs: TOLERANCE } }
    },
    (cell) =>
      Effect.gen(function* () {
        const beatsReach = (count: number) =>
          eventually(
            `${count} beats`,
            Effect.map(cell.peer.beats, ({ beats }) => beats >= count)
          )
        yield* beatsReach(3)
        assert.isAbove(Duration.toMillis(yield* cell.session.ping), 0)
        yield* stopped(cell).for("600 millis")
        yield* echoed(cell.session, 1, 100_000)
        assert.isAbove(Duration.toMillis(yield* cell.session.ping), 0)
        const { beats, misses } = yield* cell.peer.beats
        assert.strictEqual(misses, 0)
        yield* beatsReach(beats + 3)
        yield* cell.peer.signal("SIGSTOP")
        const end = yield* cell.session.closed
        assert.include(end, { _tag: "SessionDead", reason: "Heartbeat", initiator: "Remote" })
        yield* cell.peer.signal("SIGCONT")
        yield* cell.peer.closed
      })
  ),

  scenario("a soak of 30 seconds, both ways", { limit: 60 }, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, echo)
      const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(SOAK)
      let streams = 0
      const worker: Effect.Effect<void, unknown> = Effect.gen(function* () {
        while ((yield* Clock.currentTimeMillis) < until) {
          const seed = yield* Random.nextIntBetween(1, 0x7fff_ffff)
          yield* echoed(cell.session, seed, seed % 200_000)
          streams++
        }
      })
      const [theirs] = yield* Effect.all(
        [
          cell.peer.soak({ ms: Duration.toMillis(SOAK), concurrency: 20, maxSize: 200_000, seed: 7 }),
          Effect.all(Array.replicate(worker, 20), { concurrency: "unbounded", discard: true })
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([theirs.failed, theirs.errors], [0, {}])
      assert.isAbove(theirs.streams, 100)
      assert.isAbove(streams, 100)
      yield* eventually(
        "rest",
        Effect.map(
          cell.session.stats,
          ({ bufferedBytes, inboundStreams, outboundStreams, queuedBytes }) =>
            inboundStreams + outboundStreams + queuedBytes + bufferedBytes === 0
        )
      )
    })
  )
]
