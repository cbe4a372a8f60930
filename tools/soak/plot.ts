/** Draws the samples as an SVG, for light and dark pages. */
import type { Sample } from "./sample.js"
import type { Verdict } from "./verdict.js"

const WIDTH = 960
const LEFT = 70
const RIGHT = 190
const MIB = 1024 * 1024
const MILLION = 1_000_000

interface Series {
  readonly name: string
  readonly colour: string
  readonly of: (sample: Sample) => number
}

interface Panel {
  readonly title: string
  readonly top: number
  readonly height: number
  readonly series: ReadonlyArray<Series>
}

const PANELS: ReadonlyArray<Panel> = [
  {
    title: "heap used after collection, MiB",
    top: 60,
    height: 190,
    series: [
      { name: "without code", colour: "#3b7dd8", of: ({ code, heapUsed }) => (heapUsed - code) / MIB },
      { name: "with code", colour: "#8a63d2", of: ({ heapUsed }) => heapUsed / MIB }
    ]
  },
  {
    title: "memory of the process, MiB",
    top: 310,
    height: 170,
    series: [
      { name: "rss", colour: "#c2571a", of: ({ rss }) => rss / MIB },
      { name: "external", colour: "#2e8b57", of: ({ external }) => external / MIB },
      { name: "arrayBuffers", colour: "#8a63d2", of: ({ arrayBuffers }) => arrayBuffers / MIB }
    ]
  },
  {
    title: "handles, fibers, streams left open",
    top: 540,
    height: 120,
    series: [
      { name: "handles", colour: "#3b7dd8", of: ({ handles }) => handles },
      { name: "fibers", colour: "#c2571a", of: ({ fibers }) => fibers },
      { name: "streams", colour: "#2e8b57", of: ({ streamsOpen }) => streamsOpen }
    ]
  }
]

const HEIGHT = 720

const STYLE = `text{font:13px sans-serif;fill:#333}.title{font-weight:600}.axis{stroke:#999}.grid{stroke:#ddd}
.page{fill:#fff}@media (prefers-color-scheme:dark){text{fill:#ccc}.axis{stroke:#777}.grid{stroke:#333}.page{fill:#111}}`

export const plot = (samples: ReadonlyArray<Sample>, { from, line }: Verdict, title: string): string => {
  const most = Math.max(1, ...samples.map(({ streams }) => streams))
  const x = (streams: number): number => LEFT + (streams / most) * (WIDTH - LEFT - RIGHT)
  const [heap] = PANELS
  const fit =
    heap === undefined
      ? ""
      : polyline(
          [samples[from], samples.at(-1)].flatMap((sample) =>
            sample === undefined
              ? []
              : [
                  [
                    x(sample.streams),
                    scale(heap, samples)((line.intercept + (line.slope * sample.streams) / MILLION) / MIB)
                  ]
                ]
          ),
          "#d33",
          ' stroke-dasharray="6 4"'
        )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `<title>${title}</title><style>${STYLE}</style><rect class="page" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text x="${LEFT}" y="28" class="title">${title}</text>`,
    ...PANELS.map((panel) => drawPanel(panel, samples, x, most)),
    fit,
    `<text x="${WIDTH - RIGHT + 12}" y="${(heap?.top ?? 0) + 52}" style="fill:#d33">slope of the 2nd half</text>`,
    `<text x="${LEFT}" y="${HEIGHT - 12}">streams opened and closed</text>`,
    "</svg>",
    ""
  ].join("\n")
}

const drawPanel = (
  panel: Panel,
  samples: ReadonlyArray<Sample>,
  x: (streams: number) => number,
  most: number
): string => {
  const { height, series, title, top } = panel
  const y = scale(panel, samples)
  const ticks = [0, 0.5, 1].map((part) => part * ceiling(panel, samples))
  const times = [0, 0.25, 0.5, 0.75, 1].map((part) => part * most)
  return [
    `<text x="${LEFT}" y="${top - 12}" class="title">${title}</text>`,
    ...ticks.map(
      (tick) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}"/>` +
        `<text x="${LEFT - 8}" y="${round(y(tick)) + 4}" text-anchor="end">${round(tick)}</text>`
    ),
    ...times.map(
      (streams) =>
        `<text x="${round(x(streams))}" y="${top + height + 18}" text-anchor="middle">${short(streams)}</text>`
    ),
    `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${top + height}" y2="${top + height}"/>`,
    ...series.map(({ colour, of }) =>
      polyline(
        samples.map((sample) => [x(sample.streams), y(of(sample))]),
        colour
      )
    ),
    ...series.map(
      ({ colour, name }, i) =>
        `<text x="${WIDTH - RIGHT + 12}" y="${top + 16 + 18 * i}" style="fill:${colour}">${name}</text>`
    )
  ].join("\n")
}

/** A round number that nothing in the panel exceeds. */
const ceiling = ({ series }: Panel, samples: ReadonlyArray<Sample>): number => {
  const most = Math.max(1, ...series.flatMap(({ of }) => samples.map(of)))
  const unit = 10 ** Math.floor(Math.log10(most))
  return [1, 2, 4, 6, 8, 10].map((factor) => factor * unit).find((limit) => limit >= most) ?? most
}

const scale = (panel: Panel, samples: ReadonlyArray<Sample>) => {
  const most = ceiling(panel, samples)
  return (value: number): number => panel.top + panel.height * (1 - value / most)
}

const polyline = (points: ReadonlyArray<ReadonlyArray<number>>, colour: string, more = ""): string =>
  `<polyline fill="none" stroke="${colour}" stroke-width="1.6"${more} points="${points
    .map((point) => point.map(round).join(","))
    .join(" ")}"/>`

const round = (value: number): number => Math.round(value * 10) / 10

const short = (count: number): string =>
  count >= MILLION
    ? `${round(count / MILLION)} M`
    : count >= 1000
      ? `${Math.round(count / 1000)} k`
      : `${Math.round(count)}`
