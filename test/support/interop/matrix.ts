/** All scenarios against one peer, in both of its roles. */
import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import type { PeerName } from "../../../tools/interop/peers.js"
import type { Scenario } from "../../../tools/interop/scenario.js"
import { endings } from "../../../tools/interop/scenarios/endings.js"
import { exchange } from "../../../tools/interop/scenarios/exchange.js"
import { pressure } from "../../../tools/interop/scenarios/pressure.js"
import { time } from "../../../tools/interop/scenarios/time.js"

const SCENARIOS: ReadonlyArray<Scenario> = [...exchange, ...pressure, ...endings, ...time]

export const matrix = (peer: PeerName): void => {
  for (const role of ["client", "server"] as const) {
    describe.runIf(inject("peers").includes(peer))(`${peer} as ${role}`, () => {
      for (const scenario of SCENARIOS) {
        const limit = Duration.seconds(scenario.limit ?? 30)
        it.scopedLive(
          scenario.name,
          () =>
            Effect.timeoutFail(scenario.run(peer, role), { duration: limit, onTimeout: () => new Error("stalled") }),
          Duration.toMillis(limit) + 20_000
        )
      }
    })
  }
}
