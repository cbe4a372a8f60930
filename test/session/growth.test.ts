/** Windows that grow: how much of a long fat link one stream uses, and where they must not. All in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import type { SessionOptions } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import { VirtualTime } from "effect-muxado/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { makePair, scenario } from "../support/session/sessions.js"

const MEGABIT = 1_000_000 / 8

/** The link that one stream is sent over: bytes a second, and milliseconds there and back. */
interface Link {
  readonly bandwidth: number
  readonly roundTrip: number
}

/** Everything is a sixteenth of what it would be by default, and so are the tests. */
const WINDOW = 16_384

/** It holds 62,500 bytes. */
const LONG_AND_FAT: Link = { bandwidth: 2.5 * MEGABIT, roundTrip: 200 }

const sizeOf = (chunk: Option.Option<Uint8Array>): number => (Option.isSome(chunk) ? chunk.value.length : 0)

interface Transfer {
  readonly options?: SessionOptions
  /** Milliseconds for which the reader waits after each chunk. */
  readonly pause?: number
  /** The streams that have done the same over the session before. */
  readonly before?: number
}

/**
 * Sends for `seconds` from the client to the server. The `share` of the link that is used counts from half of the time
 * on, `whole` from the beginning.
 */
const transfer = (link: Link, seconds: number, { before = 0, options = {}, pause = 0 }: Transfer = {}) =>
  Effect.gen(function* () {
    const { client, server } = yield* makePair({
      both: { window: WINDOW, ...options },
      link: { latency: link.roundTrip / 2, bandwidth: link.bandwidth, bufferSize: 16 * 1024 * 1024 }
    })
    const chunk = new Uint8Array(4096)
    const one = Effect.gen(function* () {
      const start = yield* Clock.currentTimeMillis
      const stream = yield* client.open()
      const sending = yield* Effect.forkScoped(Effect.forever(MuxStream.write(stream, chunk)))
      const there = yield* VirtualTime.run(server.accept)
      let received = 0
      let all = 0
      let held = 0
      const readOne = Effect.gen(function* () {
        const size = sizeOf(yield* MuxStream.read(there))
        all += size
        if ((yield* Clock.currentTimeMillis) - start >= seconds * 500) received += size
        held = Math.max(held, (yield* server.stats).bufferedBytes)
        if (pause > 0) yield* Effect.sleep(pause)
      })
      const over = Effect.map(Clock.currentTimeMillis, (now) => now - start >= seconds * 1000)
      yield* VirtualTime.run(Effect.repeat(readOne, { until: () => over }))
      const { grownBytes } = yield* server.stats
      const [share, whole] = [received / (link.bandwidth * (seconds / 2)), all / (link.bandwidth * seconds)]
      return { result: { share, whole, held, grownBytes }, sending, stream }
    })
    for (let i = 0; i < before; i++) {
      const { sending, stream } = yield* one
      yield* Fiber.interrupt(sending)
      yield* MuxStream.reset(stream, 0)
      yield* VirtualTime.run(Effect.sleep(1000))
    }
    const { result, sending } = yield* one
    // whose stream is still alive
    yield* VirtualTime.run(server.close)
    yield* Fiber.interrupt(sending)
    return { ...result, left: (yield* server.stats).grownBytes }
  })

describe("a window that grows", () => {
  it.effect("lets one stream use most of a link with a high bandwidth and a long round trip", () =>
    Effect.gen(function* () {
      const { grownBytes, left, share } = yield* transfer(LONG_AND_FAT, 3)
      assert.isAtLeast(share, 0.9)
      // twice what the link holds, and what it took for a longer round trip meanwhile
      assert.isAtMost(grownBytes, 250_000)
      assert.strictEqual(left, 0)
    }).pipe(scenario)
  )

  it.effect("is wide enough within a few round trips", () =>
    Effect.gen(function* () {
      // the first window is a quarter of what the link holds: it must double three times
      const { whole } = yield* transfer(LONG_AND_FAT, 3)
      assert.isAtLeast(whole, 0.69)
    }).pipe(scenario)
  )

  it.effect("grows faster if another stream of the session needed it before", () =>
    Effect.gen(function* () {
      const first = yield* transfer(LONG_AND_FAT, 3)
      const second = yield* transfer(LONG_AND_FAT, 3, { before: 1 })
      assert.isAtLeast(second.whole, first.whole + 0.05)
      // no larger than it becomes anyway
      assert.isAtMost(second.grownBytes, first.grownBytes)
      assert.strictEqual(second.left, 0)
    }).pipe(scenario)
  )

  it.effect("does not grow if the options forbid it", () =>
    Effect.gen(function* () {
      const { grownBytes, share } = yield* transfer(LONG_AND_FAT, 2, { options: { growthLimit: 0 } })
      assert.isBelow(share, 0.3)
      assert.strictEqual(grownBytes, 0)
    }).pipe(scenario)
  )

  it.effect("grows on an untyped session too, which has no heartbeats to time", () =>
    Effect.gen(function* () {
      const { share } = yield* transfer(LONG_AND_FAT, 3, { options: { typed: false, heartbeat: false } })
      assert.isAtLeast(share, 0.9)
    }).pipe(scenario)
  )

  it.effect("does not grow on a short link, however fast that is", () =>
    Effect.gen(function* () {
      const { grownBytes, share } = yield* transfer({ bandwidth: 25 * MEGABIT, roundTrip: 2 }, 0.2)
      assert.isAtLeast(share, 0.9)
      // the link holds 6,250 bytes, but takes longer than a round trip for what its sender had ready
      assert.isAtMost(grownBytes, WINDOW)
    }).pipe(scenario)
  )

  it.effect("does not grow if its reader is slower than the link", () =>
    Effect.gen(function* () {
      const { grownBytes, held } = yield* transfer({ bandwidth: 10 * MEGABIT, roundTrip: 20 }, 5, { pause: 40 })
      assert.strictEqual(grownBytes, 0)
      assert.isAtMost(held, WINDOW)
    }).pipe(scenario)
  )

  it.effect("grows no further than its limits", () =>
    Effect.gen(function* () {
      for (const options of [{ maxWindow: 50_000 }, { growthLimit: 50_000 - WINDOW }]) {
        const { grownBytes } = yield* transfer(LONG_AND_FAT, 1.5, { options })
        assert.strictEqual(grownBytes, 50_000 - WINDOW)
      }
      // nor at the first leap of a stream that knows of faster ones
      for (const options of [{ maxWindow: 50_000 }, { growthLimit: 50_000 - WINDOW }]) {
        const { grownBytes } = yield* transfer(LONG_AND_FAT, 1.5, { options, before: 1 })
        assert.strictEqual(grownBytes, 50_000 - WINDOW)
      }
      // room for the window that the stream had at first, once for it and once for the heartbeats
      const { grownBytes } = yield* transfer(LONG_AND_FAT, 1.5, { options: { maxReceiveBuffer: 2 * WINDOW + 10_000 } })
      assert.isAtMost(grownBytes, WINDOW + 10_000)
    }).pipe(scenario)
  )
})
