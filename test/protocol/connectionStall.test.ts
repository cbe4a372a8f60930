import { assert, describe, it } from "@effect/vitest"
import type { Event } from "../../src/protocol/events.js"
import type { StreamCore } from "../../src/protocol/streams/streamCore.js"
import type { End } from "../support/protocol/pair.js"
import { Pair } from "../support/protocol/pair.js"

const WINDOWS = [16, 100, 4096, 65_536, 262_144, 1_048_576]

interface Outcome {
  readonly received: number
  readonly end: string
  readonly increments: number
  readonly dataFrames: number
  /** Milliseconds of virtual time. */
  readonly elapsed: number
}

/**
 * Sends `total` bytes over one stream from a client to a server whose windows differ. A slow reader takes one chunk per
 * millisecond, a prompt one whatever there is, as soon as it is there.
 */
const transfer = (sendWindow: number, receiveWindow: number, total: number, reader: "prompt" | "slow"): Outcome => {
  const pair = new Pair({ window: sendWindow }, { window: receiveWindow })
  const outgoing = pair.client.open()
  let incoming: StreamCore | undefined
  let written = 0
  let received = 0
  let end = "stalled"

  const write = (): void => {
    while (written < total) {
      const result = pair.client.connection.write(outgoing, new Uint8Array(Math.min(10_000, total - written)))
      if (typeof result !== "number" || result === 0) return
      written += result
    }
    pair.client.connection.finish(outgoing)
  }
  /** One read; whether it found something. */
  const read = (): boolean => {
    if (incoming === undefined) return false
    const result = pair.server.connection.read(incoming)
    if (result._tag === "Bytes") received += result.bytes.length
    else if (result._tag !== "Blocked") {
      end = result._tag === "Failed" && result.failure._tag === "Reset" ? `Reset ${result.failure.code}` : result._tag
    }
    return result._tag === "Bytes"
  }
  const onEvent = (_: End, event: Event): void => {
    if (event._tag === "Opened") incoming = event.stream
    if (event._tag === "Writable") write()
    // refused from its first header: the server's application never saw it
    if (event._tag === "Failed" && incoming === undefined && event.stream.failure?._tag === "Reset") {
      end = `Reset ${event.stream.failure.code}`
    }
    if (reader === "prompt") while (read());
  }

  write()
  pair.settle(onEvent)
  for (let rounds = 0; rounds < 40_000 && end === "stalled"; rounds++) {
    if (reader === "slow") {
      pair.clock.now += 1
      const found = read()
      pair.server.connection.tick(pair.clock.now, 1)
      pair.client.connection.tick(pair.clock.now, 1)
      pair.settle(onEvent)
      if (found) continue
    }
    if (!pair.toNextDeadline(1000)) break
    pair.settle(onEvent)
  }
  return {
    received,
    end,
    increments: pair.server.sent.filter((frame) => frame._tag === "WindowIncrement").length,
    dataFrames: pair.client.sent.filter((frame) => frame._tag === "Data").length,
    elapsed: pair.clock.now
  }
}

const totalFor = (window: number): number => Math.min(3_000_000, Math.max(2000, 6 * window))

describe("two windows that differ", () => {
  for (const sendWindow of WINDOWS) {
    for (const receiveWindow of WINDOWS) {
      for (const reader of ["prompt", "slow"] as const) {
        it(`sending from ${sendWindow} to ${receiveWindow}, ${reader} reader: no stall`, () => {
          const total = totalFor(sendWindow)
          const outcome = transfer(sendWindow, receiveWindow, total, reader)
          if (sendWindow <= receiveWindow) {
            assert.deepStrictEqual({ received: outcome.received, end: outcome.end }, { received: total, end: "End" })
          } else {
            // a sender that takes more for granted than it has breaks the rules, and is told: it never hangs
            assert.oneOf(outcome.end, ["End", "Reset 3"])
            if (outcome.end === "End") assert.strictEqual(outcome.received, total)
          }
        })
      }
    }
  }
})

describe("equal windows and a prompt reader", () => {
  for (const window of WINDOWS) {
    it(`of ${window} bytes cause no stall, and few increments`, () => {
      const total = totalFor(window)
      const outcome = transfer(window, window, total, "prompt")
      assert.strictEqual(outcome.received, total)
      assert.strictEqual(outcome.elapsed, 0)
      // above 256 KiB grants come as if it were that
      const half = Math.min(window, 262_144) / 2
      assert.isAtMost(outcome.increments, total / half + 2)
    })
  }
})

describe("a sender with a quarter of the receiver's window", () => {
  it("stalls once, and not again", () => {
    const outcome = transfer(65_536, 262_144, 3_000_000, "prompt")
    assert.deepStrictEqual({ received: outcome.received, end: outcome.end }, { received: 3_000_000, end: "End" })
    assert.isAtMost(outcome.elapsed, 60)
  })
})
