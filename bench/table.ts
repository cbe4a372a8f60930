/** The results as Markdown: the ratios of all cells in one table, then a table for each cell. */
import { figure } from "./figure.js"
import type { CellResult, Outcome, Results } from "./results.js"
import type { Ratio, Summary } from "./statistics.js"
import { verdicts } from "./targets.js"

const row = (words: ReadonlyArray<string>): string => `| ${words.join(" | ")} |`

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [row(head), row(head.map((_, index) => (index === 0 ? "---" : "--:"))), ...rows.map(row)].join("\n")

const ratioText = (ratio: Ratio | undefined): string =>
  ratio === undefined ? "" : `${ratio.drowned ? "~" : ""}${ratio.value.toFixed(2)}`

const firstLine = (text: string): string => text.split("\n", 1)[0]?.replaceAll("|", "/") ?? ""

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

export const markdown = (results: Results): string =>
  [
    "# Results of the bench",
    head(results),
    "## Ratios",
    "Ours to the peer's, by the medians: above 1 is better for us. `~`: the middle halves of the two overlap, so that " +
      "who is better is not known. `–`: the peer cannot do it; `✗`: it failed.",
    ratios(results),
    "## Targets",
    targets(results),
    ...results.cells.map(cellTable),
    "## Peers",
    [
      ...Object.entries(results.peers).map(([name, about]) => `* **${name}**: ${about}`),
      ...Object.entries(results.missing).map(([name, why]) => `* **${name}** could not be measured: ${firstLine(why)}`)
    ].join("\n")
  ].join("\n\n") + "\n"

const head = ({ machine, disturbance, run }: Results): string =>
  [
    `* ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.system}; Node ${machine.node}, Go ${machine.go}`,
    `* ${machine.pinned ? "each process pinned to its core, both to one in cells that alternate" : "processes not pinned"}`,
    `* ${run.date}, ${run.minutes.toFixed(0)} minutes; ${run.repeats} interleaved repeats of ${run.seconds} s, or as many as n says`,
    `* all cores busy ${percent(disturbance.busy)}, stolen ${percent(disturbance.steal)}; load before ` +
      `${disturbance.loadBefore.toFixed(1)}, after ${disturbance.loadAfter.toFixed(1)}`
  ].join("\n")

const ratios = ({ cells, peers }: Results): string => {
  const names = Object.keys(peers).filter((name) => name !== "ours")
  const said = (outcome: Outcome | undefined): string => {
    switch (outcome?.kind) {
      case "measured":
        return ratioText(outcome.ratio)
      case "lacks":
        return "–"
      case "failed":
        return "✗"
      case undefined:
        return ""
    }
  }
  return table(
    ["cell", "ours", ...names],
    cells.map(({ id, metrics: [headline], peers }) => {
      const ours = peers["ours"]
      const value = ours?.kind === "measured" ? figure(ours.summaries[headline.name]?.median ?? NaN) : said(ours)
      return [id, `${value} ${headline.name}`, ...names.map((name) => said(peers[name]))]
    })
  )
}

const targets = (results: Results): string =>
  table(
    ["target", "reached", "nearest to missing it, or furthest from it"],
    verdicts(results).map(({ target, reached, worst }) => [target, reached, worst])
  )

const spread = ({ median, min, max, values }: Summary): string =>
  `${figure(median)} (${figure(min)} – ${figure(max)}${values.length === 1 ? "" : `, n ${values.length}`})`

const cellTable = ({ id, title, metrics, peers }: CellResult): string => {
  const [headline, ...others] = metrics
  const rows = Object.entries(peers).map(([name, outcome]) => {
    if (outcome.kind !== "measured")
      return [name, `${outcome.kind}: ${firstLine(outcome.why)}`, "", ...others.map(() => "")]
    const summary = (metric: string): Summary | undefined => outcome.summaries[metric]
    const main = summary(headline.name)
    return [
      name,
      main === undefined ? "" : spread(main),
      ratioText(outcome.ratio),
      ...others.map(({ name }) => figure(summary(name)?.median ?? NaN))
    ]
  })
  const column = `${headline.name} (min – max)`
  return `## ${id}: ${title}\n\n${table(["peer", column, "ours to it", ...others.map(({ name }) => name)], rows)}`
}
