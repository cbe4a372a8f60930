/** Bytes in both directions. */
import { assert } from "@effect/vitest"
import { MuxStream } from "effect-muxado"
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { echo, readExactly } from "../../../test/support/echo.js"
import type { Cell } from "../cell.js"
import { exchangePattern, Pattern, readDigest, writePattern } from "../pattern.js"
import type { Scenario } from "../scenario.js"
import { assertPattern, echoed, scenario, serving } from "../scenario.js"

const MIB = 1024 * 1024

/** Types of streams with another handler at the peer. */
const SOURCE = 2
const MANUAL = 3

const uint32s = (...values: ReadonlyArray<number>): Uint8Array => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index))
  return bytes
}

/** As many as each implementation's own limits allow. */
const atOnce = ({ name }: Cell): number => (name === "rust" ? 100 : 200)

const bulkBothWays = (cell: Cell, streams: number, size: number) =>
  Effect.gen(function* () {
    yield* serving(cell.session, echo)
    const [theirs] = yield* Effect.all(
      [
        cell.peer.run({ count: streams, concurrency: streams, size, seed: 1000 }),
        Effect.forEach(Array.range(1, streams), (seed) => echoed(cell.session, seed, size), {
          concurrency: "unbounded",
          discard: true
        })
      ],
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(theirs, { ...theirs, streams, failed: 0, bytes: streams * size, errors: {} })
  })

export const exchange: ReadonlyArray<Scenario> = [
  scenario("open, echo, half-close: we open", { theirs: { handlers: { [SOURCE]: "source" } } }, (cell) =>
    Effect.gen(function* () {
      yield* echoed(cell.session, 1, 300_000)
      yield* echoed(cell.session, 2, 0)
      // our direction is over long before theirs begins
      const answer = yield* cell.session.withStream(
        (stream) =>
          MuxStream.write(stream, uint32s(5, 700_000)).pipe(
            Effect.zipRight(MuxStream.finish(stream)),
            Effect.zipRight(readDigest(stream))
          ),
        { type: SOURCE }
      )
      assertPattern(answer, 5, 700_000)
    })
  ),

  scenario("open, echo, half-close: they open", {}, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, (stream) =>
        stream.type === SOURCE
          ? // their direction is over before ours begins
            Effect.flatMap(readDigest(stream), (digest) => {
              assertPattern(digest, 6, 300_000)
              return Effect.zipRight(writePattern(stream, 7, 700_000), MuxStream.finish(stream))
            })
          : echo(stream)
      )
      const run = yield* cell.peer.run({ count: 3, concurrency: 1, size: 300_000 })
      assert.deepStrictEqual(run, { ...run, streams: 3, failed: 0, bytes: 900_000, errors: {} })
      const stream = yield* cell.peer.open(SOURCE)
      yield* stream.write(6, 300_000)
      yield* stream.closeWrite
      assertPattern(yield* stream.readAll(), 7, 700_000)
    })
  ),

  scenario("the acceptor speaks first", { theirs: { handlers: { [MANUAL]: "manual" } } }, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, (stream) =>
        Effect.zipRight(writePattern(stream, 8, 5000), MuxStream.finish(stream)).pipe(
          Effect.zipRight(readDigest(stream))
        )
      )
      yield* cell.session.withStream(
        (ours) =>
          Effect.gen(function* () {
            const there = yield* cell.peer.accepted
            yield* there.write(9, 5000)
            assert.deepStrictEqual(Buffer.from(yield* readExactly(ours, 5000)), pattern(9, 5000))
            yield* there.closeWrite
          }),
        { type: MANUAL }
      )
      const theirs = yield* cell.peer.open(1)
      assertPattern(yield* theirs.readAll(), 8, 5000)
      yield* theirs.closeWrite
    })
  ),

  scenario("10 000 small streams at once, by us", { limit: 60 }, (cell) =>
    Effect.forEach(Array.range(1, 10_000), (seed) => echoed(cell.session, seed, 64), {
      concurrency: atOnce(cell),
      discard: true
    })
  ),

  scenario("10 000 small streams at once, by them", { limit: 60 }, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, echo)
      const run = yield* cell.peer.run({ count: 10_000, concurrency: atOnce(cell), size: 64 })
      assert.deepStrictEqual(run, { ...run, streams: 10_000, failed: 0, bytes: 640_000, errors: {} })
    })
  ),

  scenario("64 MiB each way on one stream, by us", { limit: 60 }, (cell) => echoed(cell.session, 11, 64 * MIB)),

  scenario("64 MiB each way on one stream, by them", { limit: 60 }, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, echo)
      const run = yield* cell.peer.run({ count: 1, concurrency: 1, size: 64 * MIB })
      assert.deepStrictEqual(run, { ...run, streams: 1, failed: 0, bytes: 64 * MIB, errors: {} })
    })
  ),

  scenario("50 streams of 4 MiB at once, both ways", { limit: 90 }, (cell) => bulkBothWays(cell, 25, 4 * MIB)),

  scenario("typed streams", { theirs: { handler: "manual" } }, (cell) =>
    Effect.gen(function* () {
      const types = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe]
      const arrived = yield* Queue.unbounded<MuxStream.MuxStream>()
      yield* serving(cell.session, (stream) => Effect.zipRight(Queue.offer(arrived, stream), echo(stream)))
      for (const type of types) {
        const ours = yield* cell.session.open({ type })
        assert.strictEqual((yield* cell.peer.accepted).type, type)
        assert.strictEqual(ours.type, type)
        const theirs = yield* cell.peer.open(type)
        assert.strictEqual((yield* Queue.take(arrived)).type, type)
        yield* theirs.closeWrite
        assertPattern(yield* theirs.readAll(), 1, 0)
      }
    })
  ),

  scenario("untyped streams", { typed: false }, (cell) =>
    Effect.gen(function* () {
      yield* serving(cell.session, echo)
      const exchangeOne = Effect.map(
        cell.session.withStream((stream) => exchangePattern(stream, 3, 100_000)),
        (digest) => assertPattern(digest, 3, 100_000)
      )
      const [run] = yield* Effect.all([cell.peer.run({ count: 50, concurrency: 10, size: 10_000 }), exchangeOne], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(run, { ...run, streams: 50, failed: 0, bytes: 500_000, errors: {} })
    })
  ),

  scenario("TLS", { tls: true, limit: 60 }, (cell) => bulkBothWays(cell, 4, 2 * MIB)),

  {
    name: "SYNs out of order",
    run: (peer, role) =>
      scenario("", { typed: false }, (cell) =>
        Effect.gen(function* () {
          const arrived = yield* Queue.unbounded<MuxStream.MuxStream>()
          yield* serving(cell.session, (stream) => Effect.zipRight(Queue.offer(arrived, stream), echo(stream)))
          // ids are given when a stream is opened, and the SYN goes out with the first write
          const streams = yield* Effect.all([cell.peer.open(), cell.peer.open(), cell.peer.open()])
          const ids: Array<number> = []
          for (const index of [2, 0, 1]) {
            const stream = streams[index]
            if (stream === undefined) return assert.fail("no stream")
            yield* stream.write(index, 5000)
            ids.push((yield* Queue.take(arrived)).id)
            yield* stream.closeWrite
            assertPattern(yield* stream.readAll(), index, 5000)
          }
          const first = role === "client" ? 3 : 2
          assert.deepStrictEqual(ids, [first + 4, first, first + 2])
        })
      ).run(peer, role)
  }
]

const pattern = (seed: number, length: number): Buffer => {
  assert.isBelow(length, 65_537)
  return Buffer.from(new Pattern(seed, length).next() ?? [])
}
