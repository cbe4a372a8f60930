/** Every row against our own server and client, over TCP. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { overTcp } from "../../tools/conformance/ours.js"
import { rows } from "../../tools/conformance/rows/index.js"
import { plan, runRow } from "../../tools/conformance/target.js"

describe("our server and our client over TCP", () => {
  for (const { row, typed } of plan(rows)) {
    it.live(`${row.id} ${typed ? "typed" : "untyped"}: ${row.rule}`, () =>
      Effect.flatMap(runRow(row, typed, overTcp, "10 seconds"), ({ failure }) =>
        failure === undefined ? Effect.void : Effect.fail(failure)
      )
    )
  }
})
