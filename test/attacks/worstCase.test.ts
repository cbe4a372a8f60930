import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Application } from "../../tools/attacks/application.js"
import type { Attack } from "../../tools/attacks/attack.js"
import { lives } from "../../tools/attacks/attack.js"
import * as Bytes from "../../tools/attacks/bytes.js"
import { peakOf, Victim } from "../../tools/attacks/memory.js"
import { worstCase } from "../../tools/attacks/worstCase.js"

const KIB = 1024
const MIB = 1024 * KIB
const LONG = 60_000

const limits = {
  maxReceiveBuffer: 4 * MIB,
  maxSendBuffer: MIB,
  maxInboundStreams: 128,
  window: Bytes.WINDOW,
  growthLimit: 64 * MIB
}

/** Just so much of a chunk of 64 KiB that it is not copied out of it. */
const PIECE = 32 * KIB + 100

/** As many streams as may be, of which none is read from, and chunks of which little is kept. */
const everything = (app: Application): Attack => ({
  id: "A42",
  what: `all at once, ${app}`,
  ...(app === "hold" ? { app } : {}),
  options: { ...limits, uselessFrameBudget: { burst: 1_000_000 } },
  run: (peer) =>
    Effect.gen(function* () {
      const resume = yield* peer.stopReading
      const { maxInboundStreams, maxReceiveBuffer } = limits
      yield* peer.flood(maxInboundStreams + 100, (n) => [Bytes.syn(Bytes.odd(n))])
      const pieces = Math.floor((maxReceiveBuffer + MIB) / PIECE)
      yield* peer.flood(pieces, (n) => [
        Bytes.data(Bytes.odd(n % maxInboundStreams), Bytes.zeros(PIECE)),
        Bytes.frame(15, 0, 0, Bytes.zeros(64 * KIB - 16 - PIECE))
      ])
      yield* Effect.sleep("300 millis")
      yield* resume
    }),
  outcome: lives(),
  heap: worstCase(limits)
})

/** They wait in the backlog: what their handlers would need is not the session's. */
const idle: Attack = {
  id: "idle",
  what: "10 000 idle streams",
  app: "hold",
  options: { acceptBacklog: 10_000, maxInboundStreams: 10_000 },
  run: (peer) => peer.flood(10_000, (n) => [Bytes.syn(Bytes.odd(n))]),
  outcome: lives(),
  heap: 20 * MIB
}

layer(Victim.live, { excludeTestServices: true, timeout: LONG })(
  "the memory that a session can be made to hold",
  (it) => {
    for (const app of ["echo", "hold"] as const) {
      it.effect(
        `is bounded by the formula, and is more than the limit of unread bytes: ${app}`,
        () =>
          Effect.map(
            peakOf(everything(app), () => {}),
            (peak) => {
              assert.isAtMost(peak, worstCase(limits))
              assert.isAtLeast(peak, limits.maxReceiveBuffer)
            }
          ),
        LONG
      )
    }

    it.effect(
      "is less than 20 MiB for 10 000 idle streams",
      () => Effect.map(peakOf(idle), (peak) => assert.isAtMost(peak, idle.heap)),
      LONG
    )
  }
)
