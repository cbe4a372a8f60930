import { assert, describe, it } from "@effect/vitest"
import { matrixOf } from "../../tools/runtimes/matrix.js"
import { nameOf, planOf } from "../../tools/runtimes/plan.js"

describe("the matrix of test:runtimes", () => {
  it("has a row for each runtime and medium, with the numbers of passed, failed and skipped cases", () => {
    const text = matrixOf([
      { pair: "bun", medium: "tcp", case: "echo", result: "passed" },
      { pair: "bun", medium: "tcp", case: "bulk", result: "failed" },
      { pair: "deno->node22", medium: "ws-global", case: "echo", result: "skipped" }
    ])
    assert.strictEqual(
      text,
      [
        "runtime       medium     echo  bulk",
        "bun           tcp        ✓     ✗",
        "deno->node22  ws-global  -",
        "",
        "1 passed, 1 failed, 1 skipped"
      ].join("\n")
    )
  })
})

describe("the plan of test:runtimes", () => {
  it("runs two runtimes with each other only if both are chosen", () => {
    const names = (runtimes: Parameters<typeof planOf>[0]["runtimes"]) =>
      planOf({ runtimes, media: ["tcp", "unix"], cases: ["echo"] }).map((row) => `${nameOf(row)} ${row.medium}`)
    assert.deepStrictEqual(names(["bun"]), ["bun tcp", "bun unix"])
    assert.deepStrictEqual(names(["node22", "bun"]), [
      "node22 tcp",
      "node22 unix",
      "bun tcp",
      "bun unix",
      "node22->bun tcp",
      "bun->node22 tcp"
    ])
  })
})
