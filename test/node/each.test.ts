import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { directTransport } from "../../src/internal/transport/fastPath.js"
import { NodeTransport } from "../../src/node/index.js"
import { MAX_STRETCH } from "../../src/node/internal/turns.js"
import { noise } from "../support/bytes.js"
import { media, readToEnd, socketPair, turns } from "../support/node/support.js"

const SIZE = 3 * MAX_STRETCH + 5

/** A socket whose source is full, with its direct path. */
const full = (medium: (typeof media)[number]) =>
  Effect.gen(function* () {
    const [near, far] = yield* socketPair(medium)
    const transport = yield* NodeTransport.fromDuplex(near)
    const direct = directTransport.get(transport)
    if (direct === undefined) return assert.fail("no direct path")
    const sent = noise(SIZE, 3)
    near.unshift(sent)
    return { near, far, transport, direct, sent }
  })

for (const medium of media) {
  describe(`chunks handed over by callbacks, ${medium}`, () => {
    it.scopedLive("a source that is full lets the event loop turn after each MiB, and gives its end last", () =>
      Effect.gen(function* () {
        const { direct, far, sent } = yield* full(medium)
        const got: Array<Uint8Array> = []
        const perTurn = [0]
        const count = (): void => {
          perTurn.push(0)
          counting = setImmediate(count)
        }
        let counting = setImmediate(count)
        far.end()
        const error = yield* Effect.flip(
          direct.each((chunk) => {
            got.push(chunk)
            perTurn[perTurn.length - 1] = (perTurn.at(-1) ?? 0) + chunk.length
          })
        )
        clearImmediate(counting)
        assert.strictEqual(error.reason, "Ended")
        assert.isTrue(Buffer.concat(got).equals(sent))
        assert.isAtMost(Math.max(...perTurn), MAX_STRETCH)
      })
    )

    it.scopedLive("a failure comes after the bytes that were there before it", () =>
      Effect.gen(function* () {
        const { direct, near, sent } = yield* full(medium)
        let got = 0
        const error = yield* Effect.flip(
          direct.each((chunk) => {
            if (got === 0) near.destroy(new Error("cut"))
            got += chunk.length
          })
        )
        assert.strictEqual(got, sent.length)
        assert.strictEqual(error.message.includes("cut"), true)
      })
    )

    it.scopedLive("interrupted between two MiB, it leaves the rest for read", () =>
      Effect.gen(function* () {
        const { direct, far, sent, transport } = yield* full(medium)
        const got: Array<Uint8Array> = []
        const fiber = yield* Effect.fork(direct.each((chunk) => void got.push(chunk)))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        assert.isBelow(Buffer.concat(got).length, sent.length)
        far.end()
        got.push(yield* readToEnd(transport))
        assert.isTrue(Buffer.concat(got).equals(sent))
      })
    )

    it.scopedLive("a callback that throws ends the reading with that defect, and harms no later chunk", () =>
      Effect.gen(function* () {
        const { direct, far, sent, transport } = yield* full(medium)
        const defect = new Error("thrown by the callback")
        let taken = 0
        const exit = yield* Effect.exit(
          direct.each((chunk) => {
            taken = chunk.length
            throw defect
          })
        )
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === defect)
        far.end()
        assert.isTrue(Buffer.from(sent.subarray(taken)).equals(yield* readToEnd(transport)))
      })
    )

    it.scopedLive("destroyed while it waits for a turn, it fails at once", () =>
      Effect.gen(function* () {
        const { direct, transport } = yield* full(medium)
        const fiber = yield* Effect.fork(Effect.flip(direct.each(() => {})))
        yield* Effect.yieldNow()
        yield* transport.destroy
        assert.strictEqual((yield* Fiber.join(fiber)).initiator, "Local")
        yield* turns(2)
      })
    )
  })
}
