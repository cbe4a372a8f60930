/** The results as `docs/conformance.md`. */
import type { Row } from "../row.js"
import { runsOn } from "../row.js"
import type { Result } from "../target.js"

export interface Column {
  readonly name: string
  /** How to get at it, as lines of a shell. */
  readonly commands: ReadonlyArray<string>
  readonly results: ReadonlyArray<Result>
}

export const markdown = (rows: ReadonlyArray<Row>, columns: ReadonlyArray<Column>): string => {
  const head = ["row", "section", "level", "rule", ...columns.map(({ name }) => name)]
  const lines = rows.map((row) => [
    row.id,
    row.section,
    row.level,
    row.rule,
    ...columns.map(({ results }) => cell(row, results))
  ])
  return [
    INTRODUCTION,
    "",
    table(
      ["", ...columns.map(({ name }) => name)],
      [
        ["passed", ...columns.map(({ results }) => String(rowsThat(rows, results, "passed")))],
        ["failed", ...columns.map(({ results }) => String(rowsThat(rows, results, "failed")))],
        ["of them MUST", ...columns.map(({ results }) => String(rowsThat(musts(rows), results, "failed")))],
        ["not tried", ...columns.map(({ results }) => String(rowsThat(rows, results, "skipped")))]
      ]
    ),
    "",
    LEGEND,
    "",
    table(head, lines),
    "",
    "## Failures",
    ...columns.flatMap((column) => ["", ...seen(rows, column)]),
    ""
  ].join("\n")
}

const INTRODUCTION = `# Conformance

This page has the result of each row of the suite in \`tools/conformance/\` for each implementation, over TCP.
[PROTOCOL.md](PROTOCOL.md) has the full rules, and its appendix A says how an implementer can handle the failures.
\`npm run conformance:report\` writes this page.`

const LEGEND = `✓ passed, ✗ failed, — not tried. The test programs for Go and Rust cannot refuse streams or open several streams. Rust's
muxado answers heartbeats only while it sends its own, and its test program does not send any. If typed and untyped
sessions give different results, both are listed.`

type Outcome = Result["outcome"]

const outcomeOf = (row: Row, results: ReadonlyArray<Result>): ReadonlyArray<Result> =>
  results.filter((result) => result.row.id === row.id)

/** One failure is enough; skipped is only what never ran. */
const overall = (results: ReadonlyArray<Result>): Outcome =>
  results.some(({ outcome }) => outcome === "failed")
    ? "failed"
    : results.some(({ outcome }) => outcome === "passed")
      ? "passed"
      : "skipped"

const rowsThat = (rows: ReadonlyArray<Row>, results: ReadonlyArray<Result>, outcome: Outcome): number =>
  rows.filter((row) => overall(outcomeOf(row, results)) === outcome).length

const musts = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> => rows.filter(({ level }) => level === "MUST")

const MARKS = { passed: "✓", failed: "✗", skipped: "—" } as const

const cell = (row: Row, results: ReadonlyArray<Result>): string => {
  const own = outcomeOf(row, results)
  const marks = new Set(own.map(({ outcome }) => MARKS[outcome]))
  if (marks.size <= 1) return [...marks][0] ?? MARKS.skipped
  return own.map(({ outcome, typed }) => `${MARKS[outcome]} ${typed ? "typed" : "untyped"}`).join(", ")
}

const seen = (rows: ReadonlyArray<Row>, { commands, name, results }: Column): ReadonlyArray<string> => {
  const failures = rows.flatMap((row) => {
    const failed = outcomeOf(row, results).filter(({ outcome }) => outcome === "failed")
    const texts = new Set(failed.map(saw))
    return texts.size === 1 && failed.length === [true, false].filter((typed) => runsOn(row, typed)).length
      ? [`| ${row.id} | ${[...texts][0]} |`]
      : failed.map((result) => `| ${row.id} ${result.typed ? "typed" : "untyped"} | ${saw(result)} |`)
  })
  return [
    `### ${name}`,
    "",
    ...(failures.length === 0
      ? ["No failures.", ""]
      : ["| row | expected: observed |", "| --- | --- |", ...failures, ""]),
    "```sh",
    ...commands,
    "```"
  ]
}

const saw = ({ failure }: Result): string =>
  failure?._tag === "Deviation" ? `${failure.expected}: ${failure.saw}` : (failure?.message ?? "")

const table = (head: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
