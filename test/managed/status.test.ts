import { assert, describe } from "@effect/vitest"
import { Chunk, Effect, Fiber, Schedule, Stream } from "effect"
import { ManagedSession, MuxStream } from "effect-muxado"
import { call, echo, recorded, settle, statuses, tags } from "../support/managed/calls.js"
import { makeNetwork } from "../support/managed/network.js"
import { virtually } from "../support/managed/virtually.js"

const second = { reconnect: Schedule.spaced("1 second") }

describe("status", () => {
  virtually("of the first connect, a loss, refused attempts, and the end, in order", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const seen = yield* statuses(session)
      yield* Effect.sleep("20 seconds")
      network.mode = "Refuse"
      yield* network.kill
      yield* Effect.sleep("2500 millis")
      network.mode = "Serve"
      yield* Effect.sleep("1 second")
      yield* session.close
      yield* settle
      assert.deepStrictEqual(tags(seen).slice(0, 2), ["Connecting", "Connected"])
      assert.deepStrictEqual(tags(seen).slice(2, 9), [
        "Backoff",
        "Connecting",
        "Backoff",
        "Connecting",
        "Backoff",
        "Connecting",
        "Connected"
      ])
      assert.deepStrictEqual(tags(seen).slice(9), ["Draining", "Closed"])
      const attempts = seen.flatMap(({ status }) => (status._tag === "Connecting" ? [status.attempt] : []))
      assert.deepStrictEqual(attempts, [1, 1, 2, 3])
    })
  )

  virtually("of OnDemand is Idle first, and Idle again after a loss without calls", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, dial: "OnDemand", ...second })
      const seen = yield* statuses(session)
      yield* call(session, "a")
      yield* Effect.sleep("20 seconds")
      yield* network.kill
      yield* Effect.sleep("1 minute")
      assert.strictEqual(network.dials, 1)
      assert.strictEqual((yield* session.status.get)._tag, "Idle")
      assert.strictEqual(yield* call(session, "b"), "b 1")
      assert.strictEqual(network.dials, 2)
      assert.strictEqual(tags(seen)[0], "Idle")
    })
  )

  virtually("of a GOAWAY with a new server is Moving, then Connected", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo, link: { latency: 10 } })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const seen = yield* statuses(session)
      const events = yield* recorded(session)
      yield* Effect.sleep("20 seconds")
      yield* Effect.fork(network.replace)
      yield* Effect.sleep("20 seconds")
      assert.deepStrictEqual(tags(seen), ["Connecting", "Connected", "Moving", "Connected"])
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["Connected", "Moving", "Connected"]
      )
      const moving = events[1]
      assert.isTrue(moving?._tag === "Moving" && moving.reason === "GoAway" && moving.streams === 0)
      assert.strictEqual(network.open, 1)
    })
  )

  virtually("of maxAge is Moving, then Connected, at 90 to 110 % of it", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo, link: { latency: 10 } })
      const session = yield* ManagedSession.make({ connect: network.connect, maxAge: "10 minutes", ...second })
      const seen = yield* statuses(session)
      const events = yield* recorded(session)
      yield* Effect.sleep("1 hour")
      const moves = seen.filter(({ status }) => status._tag === "Moving").map(({ at }) => at)
      assert.isAtLeast(moves.length, 5)
      assert.isAtMost(moves.length, 6)
      const gaps = moves.slice(1).map((at, i) => at - (moves[i] ?? 0))
      for (const gap of gaps) {
        assert.isAtLeast(gap, 540_000)
        assert.isAtMost(gap, 661_000)
      }
      assert.isTrue(
        events.every((event) => event._tag !== "Lost"),
        events.map(({ _tag }) => _tag).join(" ")
      )
      assert.strictEqual(network.open, 1)
    })
  )

  virtually("a slow reader skips states, sees the latest, and ends after Closed", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const slow = yield* session.status.changes.pipe(
        Stream.tap(() => Effect.sleep("1 minute")),
        Stream.runCollect,
        Effect.fork
      )
      yield* Effect.sleep("10 minutes")
      yield* session.close
      const seen = Chunk.toReadonlyArray(yield* Fiber.join(slow))
      assert.isAtMost(seen.length, 30)
      assert.strictEqual(seen.at(-1)?._tag, "Closed")
      const late = yield* Stream.runCollect(session.status.changes)
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(late).map(({ _tag }) => _tag),
        ["Closed"]
      )
      assert.strictEqual(Chunk.size(yield* Stream.runCollect(session.events)), 0)
    })
  )

  virtually("two readers see the same states, and one that stops does not stop the other", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const one = yield* statuses(session)
      const short = yield* Effect.fork(Stream.runCollect(Stream.take(session.status.changes, 2)))
      const two = yield* statuses(session)
      yield* Effect.sleep("20 seconds")
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      assert.deepStrictEqual(tags(one), tags(two))
      assert.strictEqual(Chunk.size(yield* Fiber.join(short)), 2)
      assert.deepStrictEqual(tags(one), ["Connecting", "Connected", "Backoff", "Connecting", "Connected"])
    })
  )

  virtually("1,000 readers that come and go leave nothing", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const readers = yield* Effect.forEach(Array.from({ length: 1000 }), () =>
        Effect.fork(
          Effect.zip(Stream.runDrain(session.status.changes), Stream.runDrain(session.events), { concurrent: true })
        )
      )
      yield* settle
      yield* Effect.forEach(readers, (reader) => Fiber.interrupt(reader), { discard: true, concurrency: "unbounded" })
      assert.strictEqual(yield* call(session, "a"), "a 0")
    })
  )
})

describe("events", () => {
  virtually("of failed attempts, a connection, a loss with its streams, and giving up", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: () => Effect.never })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({
        connect: network.connect,
        reconnect: Schedule.spaced("1 second").pipe(Schedule.intersect(Schedule.recurs(2)))
      })
      const events = yield* recorded(session)
      yield* Effect.sleep("500 millis")
      network.mode = "Serve"
      yield* Effect.sleep("20 seconds")
      const stream = yield* Effect.fork(Effect.exit(session.withStream((stream) => MuxStream.readAll(stream))))
      yield* settle
      network.mode = "Refuse"
      yield* network.kill
      yield* Effect.sleep("20 seconds")
      yield* Fiber.join(stream)
      yield* session.closed
      assert.deepStrictEqual(
        events.map((event) => [event._tag, "attempt" in event ? event.attempt : undefined]),
        [
          ["ConnectFailed", 1],
          ["Connected", 2],
          ["Lost", undefined],
          ["ConnectFailed", 1],
          ["ConnectFailed", 2],
          ["GaveUp", undefined]
        ]
      )
      const lost = events.find((event) => event._tag === "Lost")
      assert.strictEqual(lost?.streams, 1)
      assert.isAtLeast(lost?.lived ?? 0, 19_000)
      assert.isTrue(events.every(({ connection }) => connection === 0))
    })
  )

  virtually("a reader that is more than 256 events behind loses the oldest", () =>
    Effect.gen(function* () {
      const network = yield* makeNetwork({ handler: echo })
      network.mode = "Refuse"
      const session = yield* ManagedSession.make({ connect: network.connect, ...second })
      const slow = yield* session.events.pipe(
        Stream.tap((event) => ("attempt" in event && event.attempt < 5 ? Effect.sleep("10 minutes") : Effect.void)),
        Stream.runCollect,
        Effect.fork
      )
      yield* Effect.sleep("9 minutes")
      yield* session.close
      const seen = Chunk.toReadonlyArray(yield* Fiber.join(slow))
      assert.isAtMost(seen.length, 260)
      assert.isAtLeast(seen.length, 250)
      const last = seen.at(-1)
      assert.isTrue(last?._tag === "ConnectFailed" && last.attempt > 500)
    })
  )
})
