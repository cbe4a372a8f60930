/** The table that is printed at the end. */
import type { Case, Medium } from "./programs/messages.js"

export interface Cell {
  /** The runtime, or the two of them. */
  readonly pair: string
  readonly medium: Medium
  readonly case: Case
  readonly result: "passed" | "failed" | "skipped"
}

const MARKS = { passed: "✓", failed: "✗", skipped: "-" } as const

/** Runtime x medium x case, and the plain numbers. */
export const matrixOf = (cells: ReadonlyArray<Cell>): string => {
  const cases = [...new Set(cells.map((cell) => cell.case))]
  const rows = [...new Set(cells.map(rowOf))]
  const first = Math.max("runtime".length, ...cells.map(({ pair }) => pair.length))
  const second = Math.max("medium".length, ...cells.map(({ medium }) => medium.length))
  const line = (pair: string, medium: string, marks: ReadonlyArray<string>): string =>
    [pair.padEnd(first), medium.padEnd(second), ...marks].join("  ").trimEnd()
  const lines = rows.map((row) => {
    const own = cells.filter((cell) => rowOf(cell) === row)
    const marks = cases.map((name) => {
      const cell = own.find((cell) => cell.case === name)
      return (cell === undefined ? " " : MARKS[cell.result]).padEnd(name.length)
    })
    return line(own[0]?.pair ?? "", own[0]?.medium ?? "", marks)
  })
  return [line("runtime", "medium", cases), ...lines, "", summaryOf(cells)].join("\n")
}

/** `N passed, N failed, N skipped` */
const summaryOf = (cells: ReadonlyArray<Cell>): string => {
  const count = (result: Cell["result"]): number => cells.filter((cell) => cell.result === result).length
  return `${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`
}

const rowOf = (cell: Cell): string => `${cell.pair} ${cell.medium}`
