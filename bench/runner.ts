/** Runs cells. Repeats are interleaved, so that a disturbance of the machine affects all contenders alike. */
import type { Cell, Setup, Times } from "./cells.js"
import type { Contender } from "./contenders.js"
import { figure } from "./figure.js"
import { Pair } from "./pair.js"
import type { Samples } from "./results.js"

export interface Plan {
  readonly repeats: number
  /** How many more at most, for those whose ratio is drowned. */
  readonly extra: number
  readonly times: Times
  readonly quick: boolean
  /** Who takes part in a cell. */
  readonly takesPart: (contender: Contender, cell: Cell) => boolean
}

/** Cells that share a pair of processes. */
export const groups = (cells: ReadonlyArray<Cell>): ReadonlyArray<ReadonlyArray<Cell>> => {
  const bySetup = new Map<Setup["name"], Array<Cell>>()
  for (const cell of cells) {
    const group = bySetup.get(cell.setup.name)
    if (group === undefined) bySetup.set(cell.setup.name, [cell])
    else group.push(cell)
  }
  return [...bySetup.values()]
}

/** `budget`: the milliseconds after which no more repeats are begun, except the first. */
export const runGroup = async (
  cells: ReadonlyArray<Cell>,
  contenders: ReadonlyArray<Contender>,
  plan: Plan,
  samples: Samples,
  budget: number
): Promise<void> => {
  const ends = performance.now() + budget
  const pairs = new Pairs(plan, samples)
  noteLacks(cells, contenders, plan, samples)
  for (let repeat = 1; repeat <= plan.repeats && (repeat === 1 || performance.now() < ends); repeat++) {
    for (const contender of contenders) {
      const mine = cells.filter(
        (cell) => plan.takesPart(contender, cell) && !(cell.steady && repeat > (plan.quick ? 1 : 2))
      )
      await pairs.run(contender, mine, `${repeat}/${plan.repeats}`)
    }
  }
  for (let more = 1; more <= plan.extra; more++) {
    const unsure = new Map(cells.map((cell) => [cell, samples.drowned(cell)]))
    const wanted = (cell: Cell, { name }: Contender): boolean => {
      const drowned = unsure.get(cell) ?? []
      return drowned.includes(name) || (name === "ours" && drowned.length > 0)
    }
    for (const contender of contenders) {
      const mine = cells.filter((cell) => wanted(cell, contender))
      await pairs.run(contender, mine, `again ${more}/${plan.extra}`)
    }
  }
  await pairs.close()
}

const noteLacks = (
  cells: ReadonlyArray<Cell>,
  contenders: ReadonlyArray<Contender>,
  plan: Plan,
  samples: Samples
): void => {
  for (const cell of cells) {
    for (const contender of contenders.filter((one) => plan.takesPart(one, cell))) {
      const lack = cell.needs.map((need) => contender.lacks[need]).find((why) => why !== undefined)
      if (lack !== undefined) samples.lacks(cell, contender.name, lack)
    }
  }
}

/**
 * The processes of a group. They stay through all repeats: what a runtime does to make code fast takes seconds, and is
 * not what is measured.
 */
class Pairs {
  private readonly open = new Map<Contender, Pair>()

  constructor(
    private readonly plan: Plan,
    private readonly samples: Samples
  ) {}

  /** One contender through cells of one setup, in one pair of processes as long as nothing fails. */
  async run(contender: Contender, cells: ReadonlyArray<Cell>, repeat: string): Promise<void> {
    for (const cell of cells) {
      if (!this.samples.hopeful(cell, contender.name)) continue
      const said = await this.runCell(contender, cell, repeat)
      console.error(`${cell.id.padEnd(14)} ${contender.name.padEnd(18)} ${repeat}  ${said}`)
    }
  }

  async close(): Promise<void> {
    for (const [contender, pair] of this.open) {
      this.open.delete(contender)
      await pair.close()
    }
  }

  private async end(contender: Contender): Promise<void> {
    const pair = this.open.get(contender)
    this.open.delete(contender)
    await pair?.close()
  }

  private async runCell(contender: Contender, cell: Cell, repeat: string): Promise<string> {
    try {
      const sample = await cell.run(await this.pair(contender, cell, repeat), this.plan.times)
      this.samples.add(cell, contender.name, sample)
      if (cell.spends) await this.end(contender)
      return cell.metrics.map(({ name }) => `${figure(sample[name] ?? NaN)} ${name}`).join(", ")
    } catch (cause) {
      this.open.get(contender)?.kill()
      this.open.delete(contender)
      const why = cause instanceof Error ? cause.message : String(cause)
      this.samples.fail(cell, contender.name, why)
      return `failed: ${why}`
    }
  }

  private async pair(contender: Contender, { setup }: Cell, repeat: string): Promise<Pair> {
    const open = this.open.get(contender)
    if (open !== undefined) return open
    const label = `${contender.name}-${setup.name}-${repeat}`.replace(/[^\w-]+/g, "_")
    const pair = await Pair.start(contender, setup, label)
    this.open.set(contender, pair)
    return pair
  }
}
