/** Runs every attack on a session in a separate process, and writes the results into docs/security.md. */
import * as Effect from "effect/Effect"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Attack } from "./attack.js"
import { inWords } from "./attack.js"
import { corpus } from "./corpus/index.js"
import { isMeasured, peakOf, Victim } from "./memory.js"

const PAGE = fileURLToPath(new URL("../../docs/security.md", import.meta.url))
const BEGIN = "<!-- attacks: written by `npm run attacks` -->"
const END = "<!-- end of attacks -->"

const KIB = 1024

const inKib = (bytes: number): string => `${Math.max(0, Math.round(bytes / KIB)).toLocaleString("en")} KiB`

const row = (attack: Attack): Effect.Effect<string, never, Victim> =>
  Effect.gen(function* () {
    const peak = isMeasured(attack) ? inKib(yield* peakOf(attack)) : "–"
    const line = `| ${attack.id} | ${attack.what} | ${inWords(attack.outcome)} | ${peak} |`
    console.log(line)
    return line
  })

const program = Effect.gen(function* () {
  const rows = yield* Effect.forEach(corpus, row)
  const table = ["| | attack | outcome | peak extra heap |", "| --- | --- | --- | --: |", ...rows].join("\n")
  const page = readFileSync(PAGE, "utf8")
  const [before, rest] = page.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error(`${PAGE} has no place for the table`)
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${table}\n\n${END}${after}`)
}).pipe(Effect.provide(Victim.live))

await Effect.runPromise(program)
