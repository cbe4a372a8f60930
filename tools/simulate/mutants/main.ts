/**
 * Proves that the simulation finds faults: `npm run simulate:mutants`, or `-- NAME` for the mutants of that name or kind
 * (`managed`). Puts each mutant of `mutants.ts` into a copy of
 * `src/`, never into `src/` itself. The simulation must catch it there.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Mutant } from "./mutants.js"
import { MUTANTS } from "./mutants.js"

type Simulation = "core" | "sessions" | "managed"

/** Within so many seeds a mutant must be caught. */
const SEEDS: { readonly [S in Simulation]: number } = { core: 2000, sessions: 2000, managed: 400 }

/** What is tried next. */
const ALSO: { readonly [S in Simulation]: Simulation | undefined } = {
  core: "sessions",
  sessions: "core",
  managed: undefined
}

/** A mutant for which a seed takes longer than all of them should (milliseconds) is caught, too. */
const PATIENCE = 600_000

const COPIED = ["src", "test", "tools", "package.json", "tsconfig.json", "vitest.config.ts"]

interface Caught {
  readonly by: string
  /** `undefined` for one that did not come to an end. */
  readonly seed: number | undefined
  readonly why: string
}

const root = fileURLToPath(new URL("../../..", import.meta.url))

const makeCopy = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "muxado-mutants-"))
  for (const path of COPIED) cpSync(join(root, path), join(copy, path), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  return copy
}

/** Runs the simulation in the copy; `undefined` when it notices nothing. */
const simulate = (copy: string, kind: Simulation, from: number, to: number): Caught | undefined => {
  const args = ["--import", "tsx", "tools/simulate/main.ts", `--${kind}`, "--first", "--seeds", `${from}..${to}`]
  const { signal, status, stderr, stdout } = spawnSync(process.execPath, args, {
    cwd: copy,
    encoding: "utf8",
    timeout: PATIENCE
  })
  if (status === 0) return undefined
  const failed = /^FAILED \w+ seed (\d+): (.*)/m.exec(stdout)
  if (failed !== null) return { by: kind, seed: Number(failed[1]), why: failed[2] ?? "" }
  if (signal !== null) return { by: kind, seed: undefined, why: "it goes on for ever" }
  throw new Error(`the simulation itself failed: ${stderr.slice(-2000)}`)
}

/** The first seed that fails with the mutant and not without it. */
const search = (copy: string, kind: Simulation, path: string, mutated: string): Caught | undefined => {
  const original = readFileSync(path, "utf8")
  for (let from = 1; from <= SEEDS[kind];) {
    writeFileSync(path, mutated)
    const caught = simulate(copy, kind, from, SEEDS[kind])
    writeFileSync(path, original)
    if (caught?.seed === undefined) return caught
    if (simulate(copy, kind, caught.seed, caught.seed) === undefined) return caught
    say(`seed ${caught.seed} of ${kind} fails without any mutant: ${caught.why}`)
    from = caught.seed + 1
  }
  return undefined
}

/** Whether the tests of a file pass in the copy. */
const passes = (copy: string, test: string): boolean => {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
  const { status } = spawnSync(process.execPath, [vitest, "run", "--bail", "1", test], { cwd: copy, timeout: PATIENCE })
  return status === 0
}

const tryTest = (copy: string, test: string, path: string, mutated: string): Caught | string | undefined => {
  const original = readFileSync(path, "utf8")
  if (!passes(copy, test)) return `${test} fails without any mutant`
  writeFileSync(path, mutated)
  const noticed = !passes(copy, test)
  writeFileSync(path, original)
  return noticed ? { by: test, seed: undefined, why: "it fails" } : undefined
}

/** What is wrong with the mutant itself, or what came of it. */
const tryMutant = (copy: string, { by, file, replacement, text }: Mutant): Caught | string | undefined => {
  const path = join(copy, "src", file)
  const original = readFileSync(path, "utf8")
  const places = original.split(text).length - 1
  if (places !== 1) return `its text is found ${places} times in src/${file}`
  // not `replace` with a string, in which `$` has a meaning
  const mutated = original.split(text).join(replacement)
  if (typeof by === "object") return tryTest(copy, by.test, path, mutated)
  const also = ALSO[by]
  return search(copy, by, path, mutated) ?? (also === undefined ? undefined : search(copy, also, path, mutated))
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const wanted = process.argv[2]
const mutants = MUTANTS.filter(({ by, name }) => wanted === undefined || by === wanted || name.includes(wanted))
const copy = makeCopy()
let bad = 0
try {
  say("| mutant | rule | caught by | at seed | as |")
  say("| --- | --- | --- | --: | --- |")
  for (const mutant of mutants) {
    const result = tryMutant(copy, mutant)
    const row = (by: string, seed: string, why: string) =>
      say(`| ${mutant.name} | ${mutant.rule} | ${by} | ${seed} | ${why.replaceAll("|", "/").slice(0, 80)} |`)
    if (result === undefined || typeof result === "string") {
      bad++
      row("**nobody**", "-", result ?? "not within the seeds")
    } else {
      row(result.by, String(result.seed ?? "-"), result.why)
    }
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
say(`\n${mutants.length - bad} of ${mutants.length} mutants were caught`)
process.exitCode = bad === 0 ? 0 : 1
