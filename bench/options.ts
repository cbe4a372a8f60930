/** The command line. */
import { parseArgs } from "node:util"
import type { Family, Times } from "./cells.js"

export interface Options {
  /** Prefixes of cells, or none for all. */
  readonly only: ReadonlyArray<string>
  /** Names of peers, or none for the ones of the cell's family. */
  readonly peers: ReadonlyArray<string>
  readonly quick: boolean
  readonly repeats: number
  /** How many more for a cell whose ratio is drowned. */
  readonly extra: number
  readonly times: Times
  /** Milliseconds for the whole, within which fewer repeats are made where needed. */
  readonly budget: number
  readonly out: string
  readonly profile: boolean
}

export const HELP = `npm run bench -- [options]

  --quick            all cells in under 3 minutes: fewer peers, repeats and seconds
  --only CELLS       cells whose names begin so, comma-separated (echo, echo-64, bulk-1-up, ...)
  --peers NAMES      only these, comma-separated (ours, http2, go-muxado, ...)
  --repeats N        repeats of each cell and peer, interleaved (5; at most 3 with --quick)
  --seconds S        what each cell is timed for (1.5; 0.25 with --quick)
  --out DIR          where results.json, results.md and plot.svg go (bench/results)
  --profile          CPU profiles of our processes, in bench/results/profiles
  --help`

const list = (text: string | undefined): ReadonlyArray<string> =>
  text === undefined ? [] : text.split(",").map((word) => word.trim())

const positive = (name: string, text: string | undefined, fallback: number): number => {
  const value = text === undefined ? fallback : Number(text)
  if (!(value > 0)) throw new Error(`--${name} should be a number above 0, not ${text}`)
  return value
}

/** `undefined` when help is what was asked for. Throws what is wrong with them. */
export const readOptions = (args: ReadonlyArray<string>): Options | undefined => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      peers: { type: "string" },
      repeats: { type: "string" },
      seconds: { type: "string" },
      out: { type: "string", default: "bench/results" },
      profile: { type: "boolean", default: false },
      help: { type: "boolean", default: false }
    }
  })
  if (values.help) return undefined
  const { quick } = values
  const repeats = Math.round(positive("repeats", values.repeats, quick ? 3 : 5))
  const cell = 1000 * positive("seconds", values.seconds, quick ? 0.25 : 1.5)
  return {
    only: list(values.only),
    peers: list(values.peers),
    quick,
    repeats,
    extra: quick ? 0 : 1,
    times: quick
      ? { warmUp: 1200, warmUpAgain: 250, cell, wan: Math.max(cell, 1000) }
      : { warmUp: 4000, warmUpAgain: 400, cell, wan: Math.max(cell, 3000) },
    budget: quick ? 145_000 : Infinity,
    out: values.out,
    profile: values.profile
  }
}

/** Who matters most in a cell: `--quick` asks these alone. */
export const quickPeers: Record<Family, ReadonlyArray<string>> = {
  echo: ["ours", "ceiling", "http2", "go-muxado"],
  ping: ["ours", "tcpBare", "go-muxado"],
  bulk: ["ours", "tcpBare", "http2", "go-muxado"],
  mixed: ["ours", "http2", "go-muxado"],
  idle: ["ours", "http2"],
  connect: ["ours", "http2"],
  wan: ["ours", "go-muxado"],
  scale: ["ours"]
}

/** The cost of a stream at 1 to 10,000 at once is compared with itself, and with few others. */
export const scalePeers: ReadonlyArray<string> = ["ours", "ceiling", "http2", "go-muxado"]
