/** `npm run bench`: measures, and writes the results. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Cell } from "./cells.js"
import { cells } from "./cells.js"
import type { Contender } from "./contenders.js"
import { findContenders } from "./contenders.js"
import { machine, watch } from "./machine.js"
import type { Options } from "./options.js"
import { HELP, quickPeers, scalePeers, readOptions } from "./options.js"
import { svg } from "./plot.js"
import { killAll } from "./process.js"
import type { Results } from "./results.js"
import { Samples } from "./results.js"
import type { Plan } from "./runner.js"
import { groups, runGroup } from "./runner.js"
import { markdown } from "./table.js"

const takesPart =
  ({ quick, peers }: Options) =>
  ({ name, only }: Contender, { id, family }: Cell): boolean =>
    (only === undefined || only.includes(id)) &&
    (family !== "scale" || scalePeers.includes(name)) &&
    (!quick || peers.length > 0 || quickPeers[family].includes(name))

const chosenCells = ({ only }: Options): ReadonlyArray<Cell> => {
  const ids = cells.map(({ id }) => id)
  // wan-50-100 is that one, and not the beginning of wan-50-1000
  const meant = (id: string, word: string): boolean => (ids.includes(word) ? id === word : id.startsWith(word))
  const chosen = only.length === 0 ? cells : cells.filter(({ id }) => only.some((word) => meant(id, word)))
  if (chosen.length === 0) throw new Error(`no such cells; there are ${ids.join(", ")}`)
  return chosen
}

/** How many times it is asked for. */
const weight = (cell: Cell, contenders: ReadonlyArray<Contender>, { quick, repeats, takesPart }: Plan): number =>
  contenders.filter((contender) => takesPart(contender, cell)).length * (quick && cell.steady ? 1 : repeats)

const main = async (options: Options): Promise<void> => {
  const chosen = chosenCells(options)
  const quick = new Set(chosen.flatMap(({ family }) => quickPeers[family]))
  const wanted = (name: string): boolean =>
    options.peers.length > 0 ? options.peers.includes(name) : !options.quick || quick.has(name)
  const profiles = options.profile ? join("bench", "results", "profiles") : undefined
  const { contenders, missing } = await findContenders(wanted, profiles)
  for (const [name, why] of Object.entries(missing)) console.error(`${name} cannot be measured: ${why}`)
  const unknown = options.peers.filter((name) => !(name in missing) && !contenders.some((one) => one.name === name))
  if (unknown.length > 0) throw new Error(`no such peers: ${unknown.join(", ")}`)
  if (contenders.length === 0) throw new Error("none of these peers can be measured")

  const started = performance.now()
  const date = new Date().toISOString()
  const disturbance = watch()
  const samples = new Samples()
  const write = (): void => {
    const results: Results = {
      machine: machine(),
      disturbance: disturbance(),
      run: {
        date,
        minutes: (performance.now() - started) / 60_000,
        repeats: options.repeats,
        seconds: options.times.cell / 1000
      },
      peers: Object.fromEntries(contenders.map(({ name, about }) => [name, about])),
      missing,
      cells: chosen.map((cell) => samples.result(cell))
    }
    mkdirSync(options.out, { recursive: true })
    writeFileSync(join(options.out, "results.json"), `${JSON.stringify(results, null, 2)}\n`)
    writeFileSync(join(options.out, "results.md"), markdown(results))
    writeFileSync(join(options.out, "plot.svg"), svg(results))
  }
  if (profiles !== undefined) rmSync(profiles, { recursive: true, force: true })
  const plan: Plan = { ...options, takesPart: takesPart(options) }
  let left = chosen.reduce((sum, cell) => sum + weight(cell, contenders, plan), 0)
  for (const group of groups(chosen)) {
    const mine = group.reduce((sum, cell) => sum + weight(cell, contenders, plan), 0)
    const budget = ((options.budget - (performance.now() - started)) * mine) / left
    left -= mine
    await runGroup(group, contenders, plan, samples, budget)
    // what there is, is kept although the rest may never come
    write()
  }
  console.error(`\nin ${join(options.out, "results.md")}, results.json and plot.svg`)
}

process.on("SIGINT", () => {
  killAll()
  process.exit(130)
})

try {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) console.log(HELP)
  else await main(options)
} catch (cause) {
  killAll()
  console.error(cause instanceof Error ? cause.message : cause)
  process.exitCode = 1
}
