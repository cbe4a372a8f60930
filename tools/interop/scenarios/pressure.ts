/** Streams that are not read, full backlogs, windows of different sizes, and unwanted bytes. */
import { assert } from "@effect/vitest"
import type { MuxadoError } from "effect-muxado"
import { ErrorCode, MuxStream } from "effect-muxado"
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { echo } from "../../../test/support/echo.js"
import type { Cell } from "../cell.js"
import { makeCell } from "../cell.js"
import { exchangePattern, readDigest, writePattern } from "../pattern.js"
import type { PeerError, PeerStream } from "../peer.js"
import type { Scenario } from "../scenario.js"
import { assertPattern, echoed, eventually, scenario, serving } from "../scenario.js"

const KIB = 1024
const MIB = 1024 * KIB

const DIGEST = 2
const MANUAL = 3

/** Writes until the peer's command fails, and gives the code of that. */
const writesUntilRefused = (stream: PeerStream): Effect.Effect<number | null, PeerError> =>
  Effect.zipRight(stream.write(1, 10), Effect.sleep("10 millis")).pipe(
    Effect.forever,
    Effect.catchTag("CommandFailed", ({ code }) => Effect.succeed(code))
  )

const writeUntilReset = (
  stream: MuxStream.MuxStream
): Effect.Effect<MuxadoError.StreamReset, MuxadoError.StreamError> =>
  Effect.zipRight(MuxStream.write(stream, new Uint8Array(10)), Effect.sleep("5 millis")).pipe(
    Effect.forever,
    Effect.catchTag("StreamReset", (reset) => Effect.succeed(reset))
  )

const WINDOWS = [4 * KIB, 64 * KIB, MIB]
const MIXES = WINDOWS.flatMap((ours) => WINDOWS.map((theirs) => ({ ours, theirs })))

export const pressure: ReadonlyArray<Scenario> = [
  scenario("data after close: theirs", { theirs: { handlers: { [MANUAL]: "manual" } } }, (cell) =>
    Effect.gen(function* () {
      const stream = yield* cell.session.open({ type: MANUAL })
      yield* Effect.flatMap(cell.peer.accepted, (there) => there.close)
      const reset = yield* writeUntilReset(stream)
      assert.deepStrictEqual(
        [reset.code, reset.initiator, reset.processed],
        [ErrorCode.StreamClosed, "Remote", "maybe"]
      )
      yield* echoed(cell.session, 1, 1000)
    })
  ),

  scenario("data after close: ours", {}, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, (stream) => (stream.type === MANUAL ? Effect.void : echo(stream)))
      const theirs = yield* cell.peer.open(MANUAL)
      assert.strictEqual(yield* writesUntilRefused(theirs), ErrorCode.StreamClosed)
      const run = yield* cell.peer.run({ count: 1, concurrency: 1, size: 1000 })
      assert.strictEqual(run.failed, 0)
    })
  ),

  scenario("a slow reader beside fast ones: theirs", { theirs: { handlers: { [MANUAL]: "manual" } } }, (cell) =>
    Effect.gen(function* () {
      const slow = yield* cell.session.open({ type: MANUAL })
      const there = yield* cell.peer.accepted
      const writing = yield* Effect.fork(Effect.zipRight(writePattern(slow, 5, MIB), MuxStream.finish(slow)))
      yield* Effect.forEach(Array.range(1, 200), (seed) => echoed(cell.session, seed, 1000), { concurrency: 20 })
      // a window and what waits here: the rest has not been accepted yet
      assert.isNull(writing.unsafePoll())
      assertPattern(yield* there.readAll(), 5, MIB)
      yield* Fiber.join(writing)
    })
  ),

  scenario("a slow reader beside fast ones: ours", {}, (cell) =>
    Effect.gen(function* () {
      const arrived = yield* Queue.unbounded<MuxStream.MuxStream>()
      yield* serving(cell.session, (stream) =>
        stream.type === MANUAL ? Effect.zipRight(Queue.offer(arrived, stream), Effect.never) : echo(stream)
      )
      const theirs = yield* cell.peer.open(MANUAL)
      const writing = yield* Effect.fork(Effect.zipRight(theirs.write(5, MIB), theirs.closeWrite))
      const slow = yield* Queue.take(arrived)
      const run = yield* cell.peer.run({ count: 200, concurrency: 20, size: 1000 })
      assert.deepStrictEqual([run.streams, run.failed], [200, 0])
      yield* Effect.forEach(Array.range(1, 200), (seed) => echoed(cell.session, seed, 1000), { concurrency: 20 })
      assert.isNull(writing.unsafePoll())
      assertPattern(yield* readDigest(slow), 5, MIB)
      yield* Fiber.join(writing)
    })
  ),

  scenario("the accept backlog overflows: ours", { ours: { acceptBacklog: 4 } }, (cell) =>
    Effect.gen(function* () {
      const streams = yield* Effect.forEach(Array.range(1, 10), () => cell.peer.open(1))
      const refused = yield* Effect.forEach(streams.slice(4), writesUntilRefused, { concurrency: "unbounded" })
      assert.deepStrictEqual(refused, Array.replicate(ErrorCode.AcceptQueueFull, 6))
      const { backlog, inboundStreams } = yield* cell.session.stats
      assert.deepStrictEqual([backlog, inboundStreams], [4, 4])
      yield* serving(cell.session, echo)
      for (const stream of streams.slice(0, 4)) {
        yield* stream.write(3, 1000)
        yield* stream.closeWrite
        assertPattern(yield* stream.readAll(), 3, 1000)
      }
      yield* echoed(cell.session, 1, 1000)
    })
  ),

  scenario("the accept backlog overflows: theirs", { theirs: { acceptBacklog: 4, handler: "none" } }, (cell) =>
    overflowThere(cell)
  ),

  {
    name: "windows of 4 KiB, 64 KiB and 1 MiB, in every mix",
    limit: 90,
    run: (peer, role) =>
      Effect.forEach(
        MIXES,
        ({ ours, theirs }) =>
          Effect.scoped(
            Effect.flatMap(
              makeCell(peer, role, {
                ours: { window: ours, peerWindow: theirs },
                theirs: { window: theirs, handlers: { [DIGEST]: "digest" } }
              }),
              (cell) => mixedWindows(cell, ours, theirs)
            )
          ),
        { discard: true }
      )
  }
]

const overflowThere = (cell: Cell) =>
  Effect.gen(function* () {
    const requests = yield* Effect.forEach(Array.range(1, 10), (seed) =>
      Effect.fork(cell.session.withStream((stream) => exchangePattern(stream, seed, 1000)))
    )
    const outcome = (fiber: (typeof requests)[number]): string => {
      const exit = fiber.unsafePoll()
      if (exit === null) return "waits"
      if (Exit.isSuccess(exit)) return "done"
      return exit.cause._tag === "Fail" && exit.cause.error._tag === "StreamReset"
        ? `reset ${exit.cause.error.code}, processed ${exit.cause.error.processed}`
        : String(exit)
    }
    const counts = () => Array.groupBy(requests.map(outcome), (each) => each)
    const full = `reset ${ErrorCode.AcceptQueueFull}, processed no`
    // Rust keeps its whole session waiting instead
    const refused = cell.name === "rust" ? 0 : 6
    yield* eventually(
      "the refusals",
      Effect.sync(() => (counts()[full]?.length ?? 0) === refused)
    )
    yield* cell.peer.serve("echo")
    yield* eventually(
      "the echoes",
      Effect.sync(() => (counts()["done"]?.length ?? 0) === 10 - refused)
    )
    yield* echoed(cell.session, 1, 1000)
  })

/** No direction stalls. Only a sender whose window is larger than the receiver's may be refused, and that in words. */
const mixedWindows = (cell: Cell, ours: number, theirs: number) =>
  Effect.gen(function* () {
    const length = 600 * KIB
    const toThem = yield* cell.session.withStream((stream) => exchangePattern(stream, 7, length), { type: DIGEST })
    assert.strictEqual(toThem.bytes, 32)
    const stream = yield* cell.peer.open(1)
    const writing = yield* Effect.fork(Effect.zipRight(stream.write(8, length), stream.closeWrite))
    // a handler of `serve` would be interrupted when its stream is reset
    const result = yield* Effect.exit(Effect.flatMap(cell.session.accept, readDigest))
    const wrote = yield* Fiber.await(writing)
    if (theirs > ours && Exit.isFailure(result)) {
      const reset = yield* Effect.flip(result)
      assert.include(reset, { _tag: "StreamReset", code: ErrorCode.FlowControlError, initiator: "Local" })
    } else {
      yield* wrote
      assertPattern(yield* result, 8, length)
    }
    yield* echoed(cell.session, 9, 2 * KIB)
  }).pipe(
    Effect.timeoutFail({
      duration: "20 seconds",
      onTimeout: () => new Error(`stalled with windows of ${ours} here and ${theirs} there`)
    })
  )
