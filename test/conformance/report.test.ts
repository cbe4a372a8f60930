/** The report says what the results say. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Deviation } from "../../tools/conformance/failure.js"
import { markdown } from "../../tools/conformance/report/markdown.js"
import type { Row } from "../../tools/conformance/row.js"
import { row } from "../../tools/conformance/row.js"
import type { Result } from "../../tools/conformance/target.js"

const rowOf = (id: string, fields: Partial<Row> = {}): Row =>
  row(id, { section: "1", rule: `the rule of ${id}`, run: () => Effect.void, ...fields })

const both = rowOf("A-01")
const typedOnly = rowOf("A-02", { sessions: "typed", level: "SHOULD" })
const never = rowOf("A-03", { needs: "holder" })

const result = (of: Row, typed: boolean, outcome: Result["outcome"], saw = "that"): Result => ({
  row: of,
  typed,
  outcome,
  failure: outcome === "failed" ? new Deviation({ expected: "this", saw, transcript: [] }) : undefined,
  milliseconds: 0
})

const skipped = [result(never, true, "skipped"), result(never, false, "skipped")]

const linesOf = (...columns: ReadonlyArray<ReadonlyArray<Result>>): ReadonlyArray<string> =>
  markdown(
    [both, typedOnly, never],
    columns.map((results, n) => ({ name: `number ${n}`, commands: [`run ${n}`], results }))
  ).split("\n")

describe("the conformance report", () => {
  const lines = linesOf(
    [result(both, true, "passed"), result(both, false, "passed"), result(typedOnly, true, "passed"), ...skipped],
    [result(both, true, "passed"), result(both, false, "failed"), result(typedOnly, true, "failed"), ...skipped],
    [result(both, true, "failed"), result(both, false, "failed"), result(typedOnly, true, "passed"), ...skipped],
    [result(both, true, "failed", "one"), result(both, false, "failed", "other"), result(typedOnly, true, "passed")]
  )

  it("has a line for each row and a column for each implementation", () => {
    assert.include(lines, "| A-01 | 1 | MUST | the rule of A-01 | ✓ | ✓ typed, ✗ untyped | ✗ | ✗ |")
    assert.include(lines, "| A-02 | 1 | SHOULD | the rule of A-02 | ✓ | ✗ | ✓ | ✓ |")
    assert.include(lines, "| A-03 | 1 | MUST | the rule of A-03 | — | — | — | — |")
  })

  it("counts rows, not runs", () => {
    assert.include(lines, "| passed | 2 | 0 | 1 | 1 |")
    assert.include(lines, "| failed | 0 | 2 | 1 | 1 |")
    assert.include(lines, "| of them MUST | 0 | 1 | 1 | 1 |")
    assert.include(lines, "| not tried | 1 | 1 | 1 | 1 |")
  })

  it("describes what was seen (equal observations once), and how to see it again", () => {
    const sections = lines.join("\n").split("### ").slice(1)
    assert.include(sections[0], "No failures.")
    assert.include(sections[1], "| A-01 untyped | this: that |\n| A-02 | this: that |")
    assert.include(sections[2], "| A-01 | this: that |")
    assert.include(sections[3], "| A-01 typed | this: one |\n| A-01 untyped | this: other |")
    assert.include(sections[3], "```sh\nrun 3\n```")
  })
})
