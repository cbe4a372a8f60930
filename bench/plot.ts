/** The results as an SVG with a panel of bars for each cell, for light and dark pages. */
import { figure } from "./figure.js"
import type { CellResult, Results } from "./results.js"

const COLUMNS = 3
const PANEL = { width: 400, gap: 24, title: 40, bar: 15, step: 19, names: 120, figures: 80 }
const COLOURS = { text: "#7d8590", ours: "#2f81f7", peer: "#9aa4af", spread: "#57606a" }

interface Bar {
  readonly name: string
  readonly median: number
  readonly min: number
  readonly max: number
}

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const barsOf = ({ metrics: [headline], peers }: CellResult): ReadonlyArray<Bar> =>
  Object.entries(peers).flatMap(([name, outcome]) => {
    const summary = outcome.kind === "measured" ? outcome.summaries[headline.name] : undefined
    return summary === undefined ? [] : [{ name, ...summary }]
  })

export const svg = ({ cells }: Results): string => {
  const panels = cells.map((cell) => ({ cell, bars: barsOf(cell) })).filter(({ bars }) => bars.length > 0)
  const parts: Array<string> = []
  let top = 0
  for (let first = 0; first < panels.length; first += COLUMNS) {
    const line = panels.slice(first, first + COLUMNS)
    line.forEach(({ cell, bars }, index) => {
      const left = index * (PANEL.width + PANEL.gap)
      parts.push(`<g transform="translate(${left} ${top})">${panel(cell, bars)}</g>`)
    })
    top += PANEL.title + PANEL.gap + PANEL.step * Math.max(...line.map(({ bars }) => bars.length))
  }
  const width = COLUMNS * (PANEL.width + PANEL.gap)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 ${width} ${top}" width="${width}" height="${top}"`,
    ` font-family="system-ui, sans-serif" font-size="12" fill="${COLOURS.text}">`,
    ...parts.map((part) => `\n${part}`),
    "\n</svg>\n"
  ].join("")
}

const panel = ({ id, title, metrics: [{ name: metric, better }] }: CellResult, bars: ReadonlyArray<Bar>): string => {
  const room = PANEL.width - PANEL.names - PANEL.figures
  const most = Math.max(...bars.map(({ max }) => max))
  const scale = (value: number): string => ((room * value) / most).toFixed(1)
  const drawn = bars.map(({ name, median, min, max }, index) => {
    const y = PANEL.title + index * PANEL.step
    const [text, middle] = [y + PANEL.bar - 3, y + PANEL.bar / 2]
    const colour = name === "ours" ? COLOURS.ours : COLOURS.peer
    const weight = name === "ours" ? ` font-weight="bold"` : ""
    return [
      `<text x="${PANEL.names - 6}" y="${text}" text-anchor="end"${weight}>${escape(name)}</text>`,
      `<rect x="${PANEL.names}" y="${y}" width="${scale(median)}" height="${PANEL.bar}" fill="${colour}"/>`,
      `<path d="M${PANEL.names} ${middle}m${scale(min)} 0h${scale(max - min)}" stroke="${COLOURS.spread}" stroke-width="2"/>`,
      `<text x="${PANEL.names + room + 6}" y="${text}"${weight}>${figure(median)}</text>`
    ].join("")
  })
  const said = `${metric}, ${better} is better`
  return (
    `<text y="14" font-weight="bold">${escape(id)}: ${escape(said)}</text>` +
    `<text y="30" font-size="11">${escape(title)}</text>${drawn.join("")}`
  )
}
