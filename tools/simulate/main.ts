/**
 * Simulates this library: `npm run simulate -- --seeds 1..10000`. A seed decides everything, so a run that fails can be
 * repeated step by step: `npm run simulate -- --core --seed 17 --trace`.
 */
import { parseArgs } from "node:util"
import { simulate as simulateCore } from "./core/simulate.js"
import { simulate as simulateManaged } from "./managed/simulate.js"
import type { Simulation } from "./outcome.js"
import { simulate as simulateSessions } from "./sessions/simulate.js"
import { Tally } from "./tally.js"

const USAGE = `npm run simulate -- [--seeds A..B | --seed N] [--core] [--sessions] [--managed] [--trace] [--first]

  --seeds A..B   the seeds to run (1..1000)
  --seed N       one seed
  --core         only two cores, joined by a virtual link
  --sessions     only two sessions in virtual time
  --managed      only managed sessions and their servers in virtual time
  --trace        prints every step
  --first        stops at the first seed that fails`

/** How often the progress is told, in milliseconds. */
const PROGRESS = 2000

/** So many failures are enough to begin with. */
const MOST_FAILURES = 20

const KINDS = ["core", "sessions", "managed"] as const
type Kind = (typeof KINDS)[number]

const simulations: { readonly [K in Kind]: Simulation } = {
  core: simulateCore,
  sessions: simulateSessions,
  managed: simulateManaged
}

interface Command {
  readonly from: number
  readonly to: number
  readonly kinds: ReadonlyArray<Kind>
  readonly trace: boolean
  readonly first: boolean
}

/** `undefined` for what makes no sense. */
const commandOf = (args: ReadonlyArray<string>): Command | "Help" | undefined => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", default: false },
      seeds: { type: "string" },
      seed: { type: "string" },
      core: { type: "boolean", default: false },
      sessions: { type: "boolean", default: false },
      managed: { type: "boolean", default: false },
      trace: { type: "boolean", default: false },
      first: { type: "boolean", default: false }
    }
  })
  if (values.help) return "Help"
  const range = /^(\d+)(?:\.\.(\d+))?$/.exec(values.seed ?? values.seeds ?? "1..1000")
  if (range === null) return undefined
  const from = Number(range[1])
  const to = Number(range[2] ?? range[1])
  const chosen = KINDS.filter((kind) => values[kind])
  const kinds: ReadonlyArray<Kind> = chosen.length === 0 ? KINDS : chosen
  return from <= to ? { from, to, kinds, trace: values.trace, first: values.first } : undefined
}

/** Runs all seeds with one kind of simulation, and says how many have failed. */
const runAll = (kind: Kind, { first, from, to, trace }: Command): number => {
  const tally = new Tally()
  const began = performance.now()
  let told = began
  let failures = 0
  let steps = 0
  let seeds = 0
  let sum = 0
  const rate = () => Math.round(seeds / ((performance.now() - began) / 1000))
  for (let seed = from; seed <= to; seed++) {
    const outcome = simulations[kind](seed, tally, trace ? say : undefined)
    seeds++
    steps += outcome.steps
    sum = (Math.imul(sum, 31) + Number.parseInt(outcome.hash.slice(-8), 16)) | 0
    if (from === to) say(`${kind} seed ${seed}: trace ${outcome.hash}`)
    if (outcome.failure !== undefined) {
      failures++
      say(`FAILED ${kind} seed ${seed}: ${outcome.failure}`)
      say(`  again, with every step: npm run simulate -- --${kind} --seed ${seed} --trace`)
      if (first || failures >= MOST_FAILURES) break
    }
    if (performance.now() - told > PROGRESS) {
      told = performance.now()
      process.stderr.write(`${kind}: seed ${seed} of ${from}..${to}, ${rate()} seeds/s, ${failures} failed\n`)
    }
  }
  say(`${kind}: ${seeds} seeds, ${rate()} seeds/s, ${steps} steps, ${failures} failed`)
  say(`  trace of all: ${(sum >>> 0).toString(16).padStart(8, "0")}`)
  for (const heading of ["operation", "fault", "outcome"]) {
    const counts = tally.under(heading).map(([what, count]) => `${what} ${count}`)
    say(`  ${heading}s: ${counts.length === 0 ? "none" : counts.join(" · ")}`)
  }
  return failures
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const command = commandOf(process.argv.slice(2))
if (command === "Help") {
  say(USAGE)
} else if (command === undefined) {
  process.stderr.write(`${USAGE}\n`)
  process.exitCode = 2
} else {
  const failed = command.kinds.map((kind) => runAll(kind, command)).filter((failures) => failures > 0)
  process.exitCode = failed.length === 0 ? 0 : 1
}
