import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync } from "node:fs"
import { sessionOver } from "../../tools/interop/cell.js"
import { replaying, readGolden } from "../../tools/goldens/golden.js"
import { PROGRAMS } from "../../tools/goldens/programs.js"

const FILES = new URL("../../tools/goldens/files/", import.meta.url)

const CUTS: ReadonlyArray<readonly [string, (chunk: Uint8Array) => ReadonlyArray<Uint8Array>]> = [
  ["as it came", (chunk) => [chunk]],
  ["a byte at a time", (chunk) => Array.from(chunk, (_, at) => chunk.subarray(at, at + 1))],
  [
    "cut in two",
    (chunk) =>
      [chunk.subarray(0, chunk.length >> 1), chunk.subarray(chunk.length >> 1)].filter((part) => part.length > 0)
  ]
]

describe("the transcripts of real peers", () => {
  const names = readdirSync(FILES).filter((name) => name.endsWith(".json"))

  it("exist for every peer, in both roles, for every program", () => {
    const all = names.map((name) => readGolden(new URL(name, FILES)))
    for (const implementation of ["go v2.0.1", "go v2.0.2", "rust 0.5.4"]) {
      for (const role of ["client", "server"]) {
        for (const { name } of PROGRAMS) {
          const found = all.filter(
            (golden) =>
              `${golden.implementation} ${golden.version}` === implementation &&
              golden.role === role &&
              golden.program === name
          )
          assert.strictEqual(found.length, 1, `${implementation} as ${role}: ${name}`)
        }
      }
    }
  })

  for (const name of names) {
    const golden = readGolden(new URL(name, FILES))
    const program = PROGRAMS.find((each) => each.name === golden.program)
    for (const [how, cut] of CUTS) {
      it.scopedLive(`${name}, ${how}, is the same to the application`, () =>
        Effect.gen(function* () {
          if (program === undefined) return assert.fail(`no program ${golden.program}`)
          const session = yield* sessionOver(
            golden.role === "server" ? "client" : "server",
            replaying(golden, cut),
            program.options
          )
          const log = yield* program.run(session, () => Effect.void)
          assert.deepStrictEqual(log, golden.log)
        })
      )
    }
  }
})
