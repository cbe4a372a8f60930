/** Every row against our own session, in memory, in either role. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inMemory } from "../../tools/conformance/ours.js"
import { rows } from "../../tools/conformance/rows/index.js"
import { plan, runRow } from "../../tools/conformance/target.js"

for (const role of ["server", "client"] as const) {
  const target = inMemory(role)
  describe(`our ${role} in memory`, () => {
    for (const { row, typed } of plan(rows)) {
      it.live(`${row.id} ${typed ? "typed" : "untyped"}: ${row.rule}`, () =>
        Effect.flatMap(runRow(row, typed, target, "10 seconds"), ({ failure }) =>
          failure === undefined ? Effect.void : Effect.fail(failure)
        )
      )
    }
  })
}
