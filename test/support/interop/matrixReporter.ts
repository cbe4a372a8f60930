/** Prints scenario x peer x role when the run is over. */
import type { Reporter, TestModule } from "vitest/node"

type Mark = "✓" | "✗" | "-"

/** A cell's test is called `scenario` in a `describe` called `peer as role`. */
const CELL = /^(\S+) as (client|server)$/

export default class MatrixReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const columns: Array<string> = []
    const rows = new Map<string, Map<string, Mark>>()
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const column = test.parent.type === "suite" && CELL.test(test.parent.name) ? test.parent.name : undefined
        if (column === undefined) continue
        if (!columns.includes(column)) columns.push(column)
        const row = rows.get(test.name) ?? new Map<string, Mark>()
        rows.set(test.name, row)
        const { state } = test.result()
        row.set(column, state === "passed" ? "✓" : state === "failed" ? "✗" : "-")
      }
    }
    if (rows.size === 0) return
    columns.sort()
    const width = Math.max(...[...rows.keys()].map((name) => name.length))
    const line = (name: string, cells: ReadonlyArray<string>): string => [name.padEnd(width), ...cells].join("  ")
    const marks = [...rows.values()].flatMap((row) => columns.map((column) => row.get(column) ?? "-"))
    const count = (mark: Mark): number => marks.filter((each) => each === mark).length
    const text = [
      "",
      line("scenario", columns),
      ...[...rows].map(([name, row]) =>
        line(
          name,
          columns.map((column) => (row.get(column) ?? "-").padEnd(column.length))
        )
      ),
      "",
      `cells: ${count("✓")} pass, ${count("✗")} fail, ${count("-")} did not run`
    ]
    process.stdout.write(`${text.join("\n")}\n`)
  }
}
