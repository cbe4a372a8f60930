/** The output of the conformance suite: one line for each row when it is done, and the counts. */
import type { Result } from "../target.js"

const MARKS = { passed: "✓", failed: "✗", skipped: "—" } as const

const sessionsInWords = (typed: boolean): string => (typed ? "typed" : "untyped")

/** One line, and for a failure what was expected, what was seen, and what was said before. */
export const resultInWords = ({ failure, outcome, row, typed }: Result): string => {
  const line = `${MARKS[outcome]} ${row.id} ${row.level.padEnd(6)} ${sessionsInWords(typed).padEnd(7)} ${row.rule}`
  if (failure === undefined) return line
  return [line, ...failure.message.split("\n").map((text) => `    ${text}`)].join("\n")
}

export const resultAsJson = ({ failure, milliseconds, outcome, row, typed }: Result): string =>
  JSON.stringify({
    id: row.id,
    section: row.section,
    level: row.level,
    sessions: sessionsInWords(typed),
    rule: row.rule,
    outcome,
    ...(failure?._tag === "Deviation"
      ? { expected: failure.expected, saw: failure.saw, transcript: failure.transcript }
      : failure?._tag === "NoConnection"
        ? { saw: failure.message }
        : {}),
    milliseconds: Math.round(milliseconds)
  })

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly mustFailed: number
}

export const count = (results: ReadonlyArray<Result>): Counts => {
  const failed = results.filter(({ outcome }) => outcome === "failed")
  return {
    passed: results.filter(({ outcome }) => outcome === "passed").length,
    failed: failed.length,
    mustFailed: failed.filter(({ row }) => row.level === "MUST").length
  }
}
