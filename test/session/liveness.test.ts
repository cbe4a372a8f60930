import { assert, describe, it } from "@effect/vitest"
import type { MuxadoError } from "effect-muxado"
import { ErrorCode, Frame, MuxStream } from "effect-muxado"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { noise } from "../support/bytes.js"
import { call, quick, sessionTest } from "../support/session/sessionTest.js"
import {
  assertAtRest,
  echo,
  encoded,
  exchange,
  isDone,
  makePair,
  makeRawPair,
  scenario,
  settle
} from "../support/session/sessions.js"

const heartbeat = { interval: "10 seconds", tolerance: "15 seconds" } as const

describe("heartbeats of a session", () => {
  it.effect("keep an idle session open, and the stats show the round trip", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ link: { latency: "70 millis" }, both: { heartbeat } })
      assert.strictEqual((yield* client.stats).roundTrip, undefined)
      const ends = yield* Effect.fork(Effect.raceFirst(client.closed, server.closed))
      yield* TestClock.adjust("5 minutes")
      assert.isFalse(yield* isDone(ends))
      assert.strictEqual((yield* client.stats).roundTrip, 140)
      yield* Fiber.interrupt(ends)
    }).pipe(scenario)
  )

  it.effect("are answered even if the application never accepts and its backlog is full", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({ both: { heartbeat }, server: { acceptBacklog: 1 } })
      yield* client.open()
      const ends = yield* Effect.fork(Effect.raceFirst(client.closed, server.closed))
      yield* TestClock.adjust("2 minutes")
      assert.isFalse(yield* isDone(ends))
      assert.strictEqual((yield* server.stats).backlog, 1)
      yield* Fiber.interrupt(ends)
    }).pipe(scenario)
  )

  it.effect("ping returns the round trip, also for many pings at once", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair({ link: { latency: "30 millis" }, both: { heartbeat: false } })
      const pings = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 20 }, () => client.ping),
          { concurrency: 20 }
        )
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* Fiber.join(pings)).map(Duration.toMillis), new Array(20).fill(60))
    }).pipe(scenario)
  )

  it.effect("ping fails at once on an untyped session", () =>
    Effect.gen(function* () {
      const { client } = yield* makePair({ both: { typed: false, heartbeat: false } })
      assert.strictEqual((yield* Effect.flip(client.ping))._tag, "InvalidOptions")
    }).pipe(scenario)
  )
})

describe("a dead peer", () => {
  it.effect("ends the session exactly at interval + tolerance, and all waiting calls fail", () =>
    Effect.gen(function* () {
      const { client, link, server } = yield* makePair({
        client: { heartbeat, maxOutboundStreams: 2 },
        server: { heartbeat: false }
      })
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      const reader = yield* client.open()
      const writer = yield* client.open()
      const served: Array<string> = []
      yield* server.open()
      yield* settle
      yield* link.blackHole
      yield* link.neverEnd
      const serving = yield* Effect.fork(
        client.serve(() => Effect.onInterrupt(Effect.never, () => Effect.sync(() => served.push("interrupted"))))
      )
      const waiting = yield* Effect.forEach(
        [
          MuxStream.read(reader),
          // more than the window, the outbound bound and the link's buffer hold
          MuxStream.write(writer, noise(3_000_000, 1)),
          Effect.scoped(client.open()),
          Effect.scoped(client.accept),
          client.ping
        ],
        (effect: Effect.Effect<unknown, MuxadoError.MuxadoError>) => Effect.fork(Effect.flip(effect))
      )
      yield* TestClock.adjust("24999 millis")
      for (const fiber of waiting) assert.isFalse(yield* isDone(fiber))
      assert.isFalse(yield* isDone(serving))
      yield* TestClock.adjust("1 millis")
      for (const fiber of waiting) {
        const error = yield* Fiber.join(fiber)
        assert(error._tag === "SessionDead", error._tag)
        assert.deepStrictEqual([error.reason, error.silentFor, error.initiator], ["Heartbeat", 25_000, "Remote"])
      }
      yield* Fiber.join(serving)
      assert.deepStrictEqual(served, ["interrupted"])
      assert.strictEqual((yield* client.closed)._tag, "SessionDead")
      yield* client.close
      yield* client.drain()
      // the transport is destroyed, not merely given up
      const error = yield* Effect.flip(link.client.read)
      assert.deepStrictEqual([error.reason, error.initiator], ["Read", "Local"])
      yield* assertAtRest(client)
    }).pipe(scenario)
  )

  it.effect("ends a waiting close and a drain", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat, drainTimeout: "1 hour" } })
      yield* client.open()
      yield* settle
      yield* link.blackHole
      const draining = yield* Effect.fork(client.drain("1 hour"))
      yield* TestClock.adjust("25 seconds")
      yield* Fiber.join(draining)
      assert.strictEqual((yield* client.closed)._tag, "SessionDead")
    }).pipe(scenario)
  )

  it.effect("is not assumed while bytes arrive, even if no heartbeat is answered", () =>
    Effect.gen(function* () {
      const { client, send } = yield* makeRawPair({ heartbeat })
      const closed = yield* Effect.fork(client.closed)
      for (let i = 0; i < 20; i++) {
        yield* TestClock.adjust("24 seconds")
        yield* send([Frame.goAwayFiller])
        yield* settle
      }
      assert.isFalse(yield* isDone(closed))
      yield* TestClock.adjust("25 seconds")
      assert.strictEqual((yield* Fiber.join(closed))._tag, "SessionDead")
    }).pipe(scenario)
  )

  it.effect("is not assumed while 4 MB are queued on a slow link", () =>
    Effect.gen(function* () {
      const { client, server } = yield* makePair({
        link: { bandwidth: 200_000, latency: "20 millis" },
        both: { heartbeat: { interval: "2 seconds", tolerance: "3 seconds" } }
      })
      yield* Effect.fork(server.serve(echo))
      const bytes = noise(500_000, 7)
      const answers = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 8 }), () => client.withStream((stream) => exchange(stream, bytes)), {
          concurrency: "unbounded"
        })
      )
      for (let seconds = 0; seconds < 60 && !(yield* isDone(answers)); seconds++) yield* TestClock.adjust("1 second")
      for (const answer of yield* Fiber.join(answers)) assert.deepStrictEqual(answer, bytes)
    }).pipe(scenario)
  )

  it.effect("that reads no bytes ends the session with WriteStalled, with or without heartbeats", () =>
    Effect.gen(function* () {
      const { client, link } = yield* makePair({ both: { heartbeat: false, writeTimeout: "20 seconds" } })
      yield* settle
      yield* link.stallWrites
      const stream = yield* client.open()
      const reading = yield* Effect.fork(Effect.flip(MuxStream.read(stream)))
      yield* TestClock.adjust("19999 millis")
      assert.isFalse(yield* isDone(reading))
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(reading)
      assert(error._tag === "SessionDead")
      assert.deepStrictEqual([error.reason, error.silentFor], ["WriteStalled", 20_000])
      yield* client.close
    }).pipe(scenario)
  )

  it.effect("that stops inside a frame ends the session with PartialFrame, with or without heartbeats", () =>
    Effect.gen(function* () {
      const { client, transport } = yield* makeRawPair({ heartbeat: false, partialFrameTimeout: "20 seconds" })
      const closed = yield* Effect.fork(client.closed)
      yield* transport.write([Uint8Array.of(0, 0, 5, 0x12, 0, 0, 0)])
      yield* TestClock.adjust("19999 millis")
      assert.isFalse(yield* isDone(closed))
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(closed)
      assert(error._tag === "SessionDead")
      assert.deepStrictEqual([error.reason, error.silentFor], ["PartialFrame", 20_000])
    }).pipe(scenario)
  )

  it.effect("is not assumed if the peer sends a large frame slowly", () =>
    Effect.gen(function* () {
      const { client, transport } = yield* makeRawPair({ heartbeat: false, partialFrameTimeout: "20 seconds" })
      const closed = yield* Effect.fork(client.closed)
      yield* transport.write([Uint8Array.of(0, 0, 8, 0x12, 0, 0, 0, 2, 0, 0, 0, 0)])
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust("19 seconds")
        yield* transport.write([encoded("x")])
      }
      yield* TestClock.adjust("19 seconds")
      assert.isFalse(yield* isDone(closed))
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* isDone(closed))
    }).pipe(scenario)
  )

  it.effect("is not assumed if a stream of the peer sends no type: only this stream is reset", () =>
    Effect.gen(function* () {
      const { client, receive, send } = yield* makeRawPair({ heartbeat: false, typeTimeout: "5 seconds" })
      yield* send([Frame.data(2, Uint8Array.of(0, 0), { syn: true }), Frame.data(4, new Uint8Array(4), { syn: true })])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual((yield* receive).frames, [Frame.rst(2, ErrorCode.StreamRefused)])
      assert.strictEqual((yield* Effect.scoped(client.accept)).id, 4)
    }).pipe(scenario)
  )
})

const long = { both: { ...quick, heartbeat: { interval: "10 seconds", tolerance: "15 seconds" } } } as const

sessionTest(
  "a peer that refuses heartbeats while it drains is still found dead",
  ({ client, link, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve(() => Effect.never))
      const calling = yield* Effect.fork(Effect.flip(call(client)))
      yield* Effect.sleep(10)
      yield* Effect.forkScoped(server.drain("1 hour"))
      yield* Effect.sleep("1 minute")
      yield* link.blackHole
      const error = yield* Fiber.join(calling)
      assert.strictEqual(error._tag, "SessionDead")
      assert.notInclude(error.message, "is its session typed")
    }),
  long
)
