/** The suite itself: a target with one fault makes the rows fail that are about it, and others not. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mutants } from "../../tools/conformance/mutants/index.js"
import { inMemory } from "../../tools/conformance/ours.js"
import type { Row } from "../../tools/conformance/row.js"
import { rows } from "../../tools/conformance/rows/index.js"
import { tamper } from "../../tools/conformance/tampering.js"
import { LIMIT, plan, runRow } from "../../tools/conformance/target.js"

const find = (id: string): Row => {
  const row = rows.find((candidate) => candidate.id === id)
  return row ?? assert.fail(`there is no row ${id}`)
}

const roleFor = ({ needs }: Row) => (needs === "opener" || needs === "repeater" ? "client" : "server")

/** In memory a row takes milliseconds, unless it fails. */
const SHORT = "300 millis"

describe("a conformance target that", () => {
  for (const { fails, fault, make, passes, wrap } of mutants) {
    it.live(`${fault} fails ${fails.join(", ")}`, () =>
      Effect.gen(function* () {
        const outcomes = yield* Effect.forEach(
          [...fails, ...passes],
          (id) => {
            const row = find(id)
            const target = inMemory(roleFor(row), (end) => tamper(make)(wrap?.(end) ?? end))
            return runRow(row, row.sessions !== "untyped", target, fails.includes(id) ? SHORT : LIMIT)
          },
          { concurrency: 4 }
        )
        const failed = outcomes.filter(({ outcome }) => outcome === "failed").map(({ row }) => row.id)
        assert.deepStrictEqual(failed, [...fails])
      })
    )
  }

  it.live("never answers fails every row", () =>
    Effect.gen(function* () {
      const mute = tamper(() => ({ outbound: () => [] }))
      const outcomes = yield* Effect.forEach(
        plan(rows),
        ({ row, typed }) => runRow(row, typed, inMemory(roleFor(row), mute), SHORT),
        { concurrency: 16 }
      )
      const passed = outcomes.filter(({ outcome }) => outcome === "passed").map(({ row }) => row.id)
      assert.deepStrictEqual(passed, [])
    })
  )
})
