/** What the collector makes of streams that have ended. */
import { assert, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const burst = fileURLToPath(new URL("../support/protocol/burst.ts", import.meta.url))

it("ended streams do not stay in memory until the next full collection", () => {
  const said = execFileSync(process.execPath, ["--expose-gc", "--import", "tsx", burst], { encoding: "utf8" })
  // it was 877 bytes a stream, which is all of one
  assert.isBelow(Number(said), 200)
})
