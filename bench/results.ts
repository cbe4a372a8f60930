/** The measurements: the samples when they arrive, and their summary at the end. */
import type { Cell, Family, Metric, Sample } from "./cells.js"
import type { Disturbance, Machine } from "./machine.js"
import type { Ratio, Summary } from "./statistics.js"
import { compare, summarize } from "./statistics.js"

export type Outcome =
  | { readonly kind: "measured"; readonly summaries: Record<string, Summary>; readonly ratio: Ratio | undefined }
  | { readonly kind: "lacks"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string }

export interface CellResult {
  readonly id: string
  readonly family: Family
  readonly title: string
  readonly metrics: readonly [Metric, ...ReadonlyArray<Metric>]
  readonly peers: Record<string, Outcome>
}

export interface Results {
  readonly machine: Machine
  readonly disturbance: Disturbance
  readonly run: { readonly date: string; readonly minutes: number; readonly repeats: number; readonly seconds: number }
  /** Who took part, and what to know of them. */
  readonly peers: Record<string, string>
  readonly missing: Record<string, string>
  readonly cells: ReadonlyArray<CellResult>
}

/** How often a peer may fail in a cell before it is no longer asked. */
const MAX_FAILURES = 2

interface Entry {
  readonly samples: Array<Sample>
  readonly failures: Array<string>
  lacks: string | undefined
}

export class Samples {
  private readonly entries = new Map<Cell, Map<string, Entry>>()

  add(cell: Cell, peer: string, sample: Sample): void {
    this.entry(cell, peer).samples.push(sample)
  }

  fail(cell: Cell, peer: string, why: string): void {
    this.entry(cell, peer).failures.push(why)
  }

  lacks(cell: Cell, peer: string, why: string): void {
    this.entry(cell, peer).lacks = why
  }

  /** Whether it is still worth asking. */
  hopeful(cell: Cell, peer: string): boolean {
    const entry = this.entries.get(cell)?.get(peer)
    return entry === undefined || (entry.lacks === undefined && entry.failures.length < MAX_FAILURES)
  }

  /** Whose ratio to ours is drowned in the spread. */
  drowned(cell: Cell): ReadonlyArray<string> {
    return Object.entries(this.result(cell).peers)
      .filter(([, outcome]) => outcome.kind === "measured" && outcome.ratio?.drowned === true)
      .map(([peer]) => peer)
  }

  result(cell: Cell): CellResult {
    const { id, family, title, metrics } = cell
    const entries = this.entries.get(cell) ?? new Map<string, Entry>()
    const [headline] = metrics
    const ours = entries.get("ours")?.samples ?? []
    const outcome = (peer: string, { samples, failures, lacks }: Entry): Outcome => {
      if (lacks !== undefined) return { kind: "lacks", why: lacks }
      if (samples.length === 0) return { kind: "failed", why: failures[0] ?? "never asked" }
      const summary = (of: ReadonlyArray<Sample>, { name }: Metric) =>
        summarize(of.map((sample) => sample[name] ?? NaN))
      return {
        kind: "measured",
        summaries: Object.fromEntries(metrics.map((metric) => [metric.name, summary(samples, metric)])),
        ratio:
          peer === "ours" || ours.length === 0
            ? undefined
            : compare(summary(ours, headline), summary(samples, headline), headline.better)
      }
    }
    return {
      id,
      family,
      title,
      metrics,
      peers: Object.fromEntries([...entries].map(([peer, entry]) => [peer, outcome(peer, entry)]))
    }
  }

  private entry(cell: Cell, peer: string): Entry {
    let peers = this.entries.get(cell)
    if (peers === undefined) this.entries.set(cell, (peers = new Map<string, Entry>()))
    let entry = peers.get(peer)
    if (entry === undefined) peers.set(peer, (entry = { samples: [], failures: [], lacks: undefined }))
    return entry
  }
}
