import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { NodeTransport } from "../../src/node/index.js"
import { MAX_STRETCH } from "../../src/node/internal/turns.js"
import { noise } from "../support/bytes.js"
import { media, readToEnd, socketPair, turns } from "../support/node/support.js"

const SIZE = 3 * MAX_STRETCH + 5

/** A socket whose source is full, with its fast path. */
const full = (medium: (typeof media)[number]) =>
  Effect.gen(function* () {
    const [near, far] = yield* socketPair(medium)
    const transport = yield* NodeTransport.fromDuplex(near)
    const { fastPath } = transport
    assert.isDefined(fastPath)
    const sent = noise(SIZE, 3)
    near.unshift(sent)
    return { near, far, transport, fastPath, sent }
  })

for (const medium of media) {
  describe(`chunks delivered by callbacks, ${medium}`, () => {
    it.scopedLive("a source with many bytes lets the event loop turn after each MiB, and its end comes last", () =>
      Effect.gen(function* () {
        const { fastPath, far, sent } = yield* full(medium)
        const got: Array<Uint8Array> = []
        const perTurn = [0]
        const count = (): void => {
          perTurn.push(0)
          counting = setImmediate(count)
        }
        let counting = setImmediate(count)
        far.end()
        const error = yield* Effect.flip(
          fastPath.each((chunk) => {
            got.push(chunk)
            perTurn[perTurn.length - 1] = (perTurn.at(-1) ?? 0) + chunk.length
            return true
          })
        )
        clearImmediate(counting)
        assert.strictEqual(error.reason, "Ended")
        assert.isTrue(Buffer.concat(got).equals(sent))
        assert.isAtMost(Math.max(...perTurn), MAX_STRETCH)
      })
    )

    it.scopedLive("a failure comes after the bytes that arrived before it", () =>
      Effect.gen(function* () {
        const { fastPath, near, sent } = yield* full(medium)
        let got = 0
        const error = yield* Effect.flip(
          fastPath.each((chunk) => {
            if (got === 0) near.destroy(new Error("cut"))
            got += chunk.length
            return true
          })
        )
        assert.strictEqual(got, sent.length)
        assert.strictEqual(error.message.includes("cut"), true)
      })
    )

    it.scopedLive("when it is interrupted between two MiB, the rest is left for read", () =>
      Effect.gen(function* () {
        const { fastPath, far, sent, transport } = yield* full(medium)
        const got: Array<Uint8Array> = []
        const fiber = yield* Effect.fork(fastPath.each((chunk) => got.push(chunk) > 0))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        assert.isBelow(Buffer.concat(got).length, sent.length)
        far.end()
        got.push(yield* readToEnd(transport))
        assert.isTrue(Buffer.concat(got).equals(sent))
      })
    )

    it.scopedLive(
      "when it is asked to pause, it delivers nothing more and completes; the rest is left for the next call, or for read",
      () =>
        Effect.gen(function* () {
          const { far, fastPath, sent, transport } = yield* full(medium)
          const got: Array<Uint8Array> = []
          yield* fastPath.each((chunk) => got.push(chunk) > 1)
          assert.lengthOf(got, 1)
          yield* fastPath.each((chunk) => got.push(chunk) < 3)
          assert.lengthOf(got, 3)
          far.end()
          got.push(yield* readToEnd(transport))
          assert.isTrue(Buffer.concat(got).equals(sent))
        })
    )

    it.scopedLive("a callback that throws ends the reading with that defect, and later chunks can still be read", () =>
      Effect.gen(function* () {
        const { fastPath, far, sent, transport } = yield* full(medium)
        const defect = new Error("thrown by the callback")
        let taken = 0
        const exit = yield* Effect.exit(
          fastPath.each((chunk) => {
            taken = chunk.length
            throw defect
          })
        )
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === defect)
        far.end()
        assert.isTrue(Buffer.from(sent.subarray(taken)).equals(yield* readToEnd(transport)))
      })
    )

    it.scopedLive("when the transport is destroyed while it waits for a turn, it fails at once", () =>
      Effect.gen(function* () {
        const { fastPath, transport } = yield* full(medium)
        const fiber = yield* Effect.fork(Effect.flip(fastPath.each(() => true)))
        yield* Effect.yieldNow()
        yield* transport.destroy
        assert.strictEqual((yield* Fiber.join(fiber)).initiator, "Local")
        yield* turns(2)
      })
    )
  })
}
