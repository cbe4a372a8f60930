/** The ends of streams and sessions: by which side, and what each side gets. */
import { assert } from "@effect/vitest"
import { ErrorCode, MuxStream } from "effect-muxado"
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { echo, readExactly } from "../../../test/support/echo.js"
import type { Cell } from "../cell.js"
import { exchangePattern, readDigest, writePattern } from "../pattern.js"
import type { Scenario } from "../scenario.js"
import { assertPattern, echoed, eventually, scenario, serving } from "../scenario.js"

const MIB = 1024 * 1024
const MANUAL = 3
const manual = { theirs: { handlers: { [MANUAL]: "manual" } } } as const

/** A stream of ours, in the hands of the peer's commands. */
const openManual = (cell: Cell) =>
  Effect.gen(function* () {
    const ours = yield* cell.session.open({ type: MANUAL })
    return { ours, theirs: yield* cell.peer.accepted }
  })

export const endings: ReadonlyArray<Scenario> = [
  scenario("reset by us", manual, (cell) =>
    Effect.gen(function* () {
      for (const code of [ErrorCode.StreamCancelled, ErrorCode.InternalError, 0xdead_beef]) {
        const { ours, theirs } = yield* openManual(cell)
        yield* MuxStream.write(ours, new Uint8Array(1000))
        assert.strictEqual((yield* theirs.read(1000)).length, 2000)
        yield* MuxStream.reset(ours, code)
        const refused = yield* Effect.zipRight(theirs.write(1, 10), Effect.sleep("5 millis")).pipe(
          Effect.forever,
          Effect.catchTag("CommandFailed", (failed) => Effect.succeed(failed.code))
        )
        // Rust knows the codes that it has names for
        assert.strictEqual(refused, cell.name === "rust" && code > 0xff ? 0xffff_ffff : code)
      }
      yield* echoed(cell.session, 1, 1000)
    })
  ),

  scenario("reset by them", manual, (cell) =>
    Effect.gen(function* () {
      for (const code of [ErrorCode.StreamCancelled, 77, 0xffff_ffff]) {
        const { ours, theirs } = yield* openManual(cell)
        yield* theirs.write(2, 1000)
        yield* theirs.reset(code)
        // what came before it stays readable
        yield* readExactly(ours, 1000)
        const read = yield* Effect.flip(MuxStream.read(ours))
        assert.include(read, { _tag: "StreamReset", code, initiator: "Remote", processed: "maybe" })
        const wrote = yield* Effect.flip(MuxStream.write(ours, new Uint8Array(1)))
        assert.include(wrote, { _tag: "StreamReset", code, initiator: "Remote" })
      }
      yield* echoed(cell.session, 1, 1000)
    })
  ),

  scenario("GOAWAY from us, with streams in flight and more after it", manual, (cell) =>
    Effect.gen(function* () {
      const { ours, theirs } = yield* openManual(cell)
      const back = yield* cell.peer.open(1)
      const accepted = yield* cell.session.accept
      yield* cell.session.goAway({ code: ErrorCode.NoError, debug: "we leave soon" })
      if (cell.name === "rust") {
        // to Rust, a GOAWAY is the end of everything, at once
        yield* cell.peer.closed
        return
      }
      // streams in flight go on, in both directions: the frames behind the GOAWAY are understood
      yield* Effect.zipRight(writePattern(ours, 3, MIB), MuxStream.finish(ours)).pipe(Effect.fork)
      assertPattern(yield* theirs.readAll(), 3, MIB)
      yield* Effect.fork(Effect.zipRight(theirs.write(4, MIB), theirs.closeWrite))
      assertPattern(yield* readDigest(ours), 4, MIB)
      yield* back.write(5, 1000)
      yield* readExactly(accepted, 1000)
      // so do new ones of ours
      yield* echoed(cell.session, 6, MIB)
      // and they open no more: by themselves, nor, told to, with us
      const refused = yield* Effect.flip(cell.peer.open(1))
      assert.include(refused, { _tag: "CommandFailed", code: ErrorCode.RemoteGoneAway })
      const next = cell.role === "client" ? 0x3ff : 0x3fe
      yield* cell.peer.inject(`000005 12 ${next.toString(16).padStart(8, "0")} 0000000161`)
      yield* echoed(cell.session, 7, 1000)
      assert.strictEqual((yield* cell.session.stats).accepted, 1)
    })
  ),

  scenario("GOAWAY from them, with streams in flight", manual, (cell) =>
    Effect.gen(function* () {
      const { ours, theirs } = yield* openManual(cell)
      yield* cell.peer.goAway(ErrorCode.EnhanceYourCalm, "they leave soon")
      yield* cell.session.draining
      if (cell.name === "rust") {
        const end = yield* cell.session.closed
        assert.include(end, { _tag: "RemoteGoneAway", initiator: "Remote" })
        return
      }
      const refused = yield* Effect.flip(cell.session.open())
      assert.include(refused, {
        _tag: "RemoteGoneAway",
        code: ErrorCode.EnhanceYourCalm,
        debug: "they leave soon",
        processed: "no"
      })
      yield* Effect.fork(Effect.zipRight(writePattern(ours, 3, MIB), MuxStream.finish(ours)))
      assertPattern(yield* theirs.readAll(), 3, MIB)
      yield* Effect.fork(Effect.zipRight(theirs.write(4, MIB), theirs.closeWrite))
      assertPattern(yield* readDigest(ours), 4, MIB)
      yield* cell.peer.closeSession
      assert.include(yield* cell.session.closed, { _tag: "RemoteGoneAway", initiator: "Remote" })
    })
  ),

  scenario("our drain loses nothing", { limit: 60 }, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, echo)
      const theirs = yield* Effect.fork(cell.peer.run({ count: 20, concurrency: 20, size: MIB, seed: 50 }))
      const ours = yield* Effect.forEach(Array.range(1, 20), (seed) =>
        Effect.fork(cell.session.withStream((stream) => exchangePattern(stream, seed, MIB)))
      )
      // a stream that is opened later than the drain is refused, and is none of those in flight
      yield* eventually(
        "40 streams",
        Effect.map(cell.session.stats, ({ accepted, opened }) => accepted + opened >= 40)
      )
      yield* cell.session.drain("30 seconds")
      for (const [index, fiber] of ours.entries()) assertPattern(yield* Fiber.join(fiber), index + 1, MIB)
      const run = yield* Fiber.join(theirs)
      assert.deepStrictEqual(run, { ...run, streams: 20, failed: 0, bytes: 20 * MIB, errors: {} })
      assert.strictEqual((yield* cell.session.closed)._tag, "SessionClosed")
      const ended = yield* cell.peer.wait
      assert.strictEqual(ended.remote?.code ?? 0, ErrorCode.NoError)
    })
  ),

  scenario("our drain, announced except to Rust, lets streams in flight end well", manual, (cell) =>
    Effect.gen(function* () {
      const { ours, theirs } = yield* openManual(cell)
      const back = yield* cell.peer.open(1)
      yield* back.write(1, 10)
      const accepted = yield* cell.session.accept
      const draining = yield* Effect.fork(cell.session.drain("30 seconds"))
      if (cell.name === "rust") {
        // it hears nothing of the drain, and its next stream is refused
        const late = yield* cell.peer.open(1)
        const refused = yield* Effect.zipRight(late.write(1, 10), Effect.sleep("5 millis")).pipe(
          Effect.forever,
          Effect.catchTag("CommandFailed", (failed) => Effect.succeed(failed.code))
        )
        assert.strictEqual(refused, ErrorCode.StreamRefused)
      } else {
        const refused = yield* Effect.flip(
          Effect.repeat(Effect.zipRight(Effect.sleep("5 millis"), cell.peer.open(1)), { times: 1000 })
        )
        assert.include(refused, { _tag: "CommandFailed", code: ErrorCode.RemoteGoneAway })
      }
      yield* Effect.zipRight(writePattern(ours, 3, MIB), MuxStream.finish(ours)).pipe(Effect.fork)
      assertPattern(yield* theirs.readAll(), 3, MIB)
      yield* Effect.fork(Effect.zipRight(theirs.write(4, MIB), theirs.closeWrite))
      assertPattern(yield* readDigest(ours), 4, MIB)
      yield* readExactly(accepted, 10)
      yield* MuxStream.finish(accepted)
      yield* back.closeWrite
      yield* MuxStream.readAll(accepted)
      yield* Fiber.join(draining)
      assert.strictEqual((yield* cell.session.closed)._tag, "SessionClosed")
    })
  ),

  scenario(
    "after their GOAWAY, a young session asks whether they live, and the stream in flight goes on",
    { ...manual, ours: { heartbeat: { interval: "500 millis", tolerance: "1 second" } } },
    (cell) =>
      Effect.gen(function* () {
        const { ours, theirs } = yield* openManual(cell)
        yield* cell.peer.goAway(ErrorCode.NoError, "they leave soon")
        yield* cell.session.draining
        // Rust closes the session
        if (cell.name === "rust") return
        // several times the interval and the tolerance
        yield* Effect.sleep("4 seconds")
        yield* Effect.fork(Effect.zipRight(writePattern(ours, 3, MIB), MuxStream.finish(ours)))
        assertPattern(yield* theirs.readAll(), 3, MIB)
        yield* Effect.fork(Effect.zipRight(theirs.write(4, MIB), theirs.closeWrite))
        assertPattern(yield* readDigest(ours), 4, MIB)
      })
  ),

  scenario("their leaving loses nothing", { limit: 60 }, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, echo)
      const ours = yield* Effect.forEach(Array.range(1, 20), (seed) =>
        Effect.fork(cell.session.withStream((stream) => exchangePattern(stream, seed, MIB)))
      )
      const run = yield* cell.peer.run({ count: 20, concurrency: 20, size: MIB, seed: 50 })
      assert.deepStrictEqual(run, { ...run, streams: 20, failed: 0, bytes: 20 * MIB, errors: {} })
      for (const [index, fiber] of ours.entries()) assertPattern(yield* Fiber.join(fiber), index + 1, MIB)
      yield* cell.peer.closeSession
      const end = yield* cell.session.closed
      assert.strictEqual(end.initiator, "Remote")
      assert.include(["RemoteGoneAway", "TransportFailed"], end._tag)
    })
  ),

  scenario("an abrupt cut", manual, (cell) =>
    Effect.gen(function* () {
      const cut = yield* openManual(cell)
      const whole = yield* openManual(cell)
      yield* whole.theirs.write(1, 1000)
      yield* whole.theirs.closeWrite
      yield* cut.theirs.write(2, 1000)
      yield* eventually(
        "the bytes",
        Effect.map(cell.session.stats, ({ bufferedBytes }) => bufferedBytes === 2000)
      )
      yield* cell.peer.cut
      const end = yield* cell.session.closed
      assert.include(end, { _tag: "TransportFailed", initiator: "Remote" })
      // what arrived stays; an end stays an end, and a cut never looks like one
      assertPattern(yield* readDigest(whole.ours), 1, 1000)
      yield* readExactly(cut.ours, 1000)
      assert.include(yield* Effect.flip(MuxStream.read(cut.ours)), { _tag: "TransportFailed", processed: "maybe" })
      assert.include(yield* Effect.flip(cell.session.open()), { _tag: "TransportFailed", processed: "no" })
    })
  ),

  scenario("the peer is killed", manual, (cell) =>
    Effect.gen(function* () {
      const { ours } = yield* openManual(cell)
      const reading = yield* Effect.fork(Effect.exit(MuxStream.read(ours)))
      yield* cell.peer.signal("SIGKILL")
      const exit = yield* Fiber.join(reading)
      assert.isTrue(Exit.isFailure(exit))
      const failure = yield* Effect.flip(Effect.map(exit, Option.isNone))
      assert.strictEqual(failure._tag, "TransportFailed")
    })
  )
]
