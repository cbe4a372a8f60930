/** What the engine makes of the core while it runs for long. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const bulk = fileURLToPath(new URL("../support/protocol/bulk.ts", import.meta.url))

describe("optimised code", () => {
  it("is not discarded after 2 GiB, when a byte count is no longer a small integer", () => {
    const said = execFileSync(process.execPath, ["--trace-deopt", "--import", "tsx", bulk], {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024
    })
    const [, later = ""] = said.split("a gibibyte\n")
    assert.include(later, "done")
    const thrownAway = later.split("\n").filter((line) => /reason: (overflow|wrong map)/.test(line))
    assert.deepStrictEqual(thrownAway, [])
  })
})
