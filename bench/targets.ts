/** The targets of the library, and whether a run has reached them. */
import { figure } from "./figure.js"
import type { CellResult, Results } from "./results.js"

export interface Verdict {
  readonly target: string
  readonly reached: "yes" | "no" | "not measured"
  /** What misses it, or is nearest to that. */
  readonly worst: string
}

interface Check {
  readonly what: string
  /** How much better than asked: 1 is just enough. `undefined` where there is no figure. */
  readonly margin: number | undefined
  readonly found: string
}

interface Target {
  readonly target: string
  readonly checks: (cells: ReadonlyArray<CellResult>) => ReadonlyArray<Check>
}

const matching = (cells: ReadonlyArray<CellResult>, prefix: string): ReadonlyArray<CellResult> =>
  cells.filter(({ id }) => id.startsWith(prefix))

const median = ({ peers }: CellResult, peer: string, metric: string): number | undefined => {
  const outcome = peers[peer]
  return outcome?.kind === "measured" ? outcome.summaries[metric]?.median : undefined
}

/** Ours to each of the peers, in each of the cells. */
const ratio = (target: string, prefix: string, least: number, peers: ReadonlyArray<string>): Target => ({
  target,
  checks: (cells) =>
    matching(cells, prefix).flatMap(({ id, peers: outcomes }) =>
      peers
        .filter((peer) => outcomes[peer]?.kind !== "lacks")
        .map((peer) => {
          const outcome = outcomes[peer]
          const found = outcome?.kind === "measured" ? outcome.ratio : undefined
          return {
            what: `${id}, ${peer}`,
            margin: found === undefined ? undefined : found.value / least,
            found: found === undefined ? "?" : `${found.drowned ? "~" : ""}${found.value.toFixed(2)}`
          }
        })
    )
})

/** A figure of a peer that is ours on at least one side. */
const value = (
  target: string,
  cell: string,
  peer: string,
  metric: string,
  margin: (found: number) => number
): Target => ({
  target,
  checks: (cells) =>
    cells
      .filter(({ id }) => id === cell)
      .map((result) => {
        const found = median(result, peer, metric)
        return {
          what: `${cell}, ${peer}`,
          margin: found === undefined ? undefined : margin(found),
          found: found === undefined ? "?" : `${figure(found)} ${metric}`
        }
      })
})

const cpu = (cells: ReadonlyArray<CellResult>, id: string): number | undefined => {
  const cell = cells.find((one) => one.id === id)
  if (cell === undefined) return undefined
  const client = median(cell, "ours", "client CPU us/stream")
  const server = median(cell, "ours", "server CPU us/stream")
  return client === undefined || server === undefined ? undefined : client + server
}

const flat: Target = {
  target: "scale: the CPU time per stream at 10,000 is at most 1.5 times that at 64",
  checks: (cells) => {
    const [few, many] = [cpu(cells, "scale-64"), cpu(cells, "scale-10000")]
    const times = few === undefined || many === undefined ? undefined : many / few
    return [
      {
        what: "scale-10000 to scale-64",
        margin: times === undefined ? undefined : 1.5 / times,
        found: times === undefined ? "?" : `${times.toFixed(2)} times`
      }
    ]
  }
}

const goPeers = ["go-muxado", "go-yamux", "go-smux"]
const controlled = ["http2", "http2Default", "libp2pYamux", "ssh2", "go-muxado-wide", ...goPeers]
const eightTenths = (share: number): number => share / 80

const targets: ReadonlyArray<Target> = [
  ratio("echo: faster than the peers with flow control, TCP and effect-rpc", "echo-", 1, [
    "http2",
    "libp2pYamux",
    "ssh2",
    "tcpPerStream",
    "effectRpc",
    ...goPeers
  ]),
  ratio("echo: faster than yamux-js, which has no flow control", "echo-", 1, ["yamuxJs"]),
  ratio("echo at 64: at least 2.5 times Go muxado", "echo-64-", 2.5, ["go-muxado"]),
  ratio("echo: at least 0.2 of the ceiling", "echo-", 0.2, ["ceiling"]),
  ratio("ping: at least 0.7 of a bare TCP socket", "ping", 0.7, ["tcpBare"]),
  ratio("ping: faster than libp2p-yamux and Go muxado", "ping", 1, ["libp2pYamux", "go-muxado"]),
  ratio("bulk: faster than http2, libp2p-yamux, ssh2, Go muxado and Go yamux", "bulk-", 1, [
    "http2",
    "libp2pYamux",
    "ssh2",
    "go-muxado",
    "go-yamux"
  ]),
  ratio("bulk: at least 0.7 of a bare TCP socket", "bulk-1-", 0.7, ["tcpBare"]),
  ratio("mixed: p99 below the peers with flow control", "mixed", 1, controlled),
  value("idle: at most 12 KB for each stream", "idle", "ours", "KB/stream", (found) => 12 / found),
  ratio("idle: below http2, libp2p-yamux and TCP", "idle", 1, ["http2", "libp2pYamux", "tcpPerStream"]),
  value("wan: at least 0.8 of a link with 100 ms and 100 Mbit/s", "wan-100-100", "ours", "% of the link", eightTenths),
  value("wan: the same with Go muxado as the sender", "wan-100-100", "go-muxado -> ours", "% of the link", eightTenths),
  ratio("wan: at least 5 times Go muxado, with 100 ms and 1000 Mbit/s", "wan-100-1000", 5, ["go-muxado"]),
  flat
]

/** Of the targets that the run has cells for. */
export const verdicts = ({ cells }: Results): ReadonlyArray<Verdict> =>
  targets.flatMap(({ target, checks }) => {
    const checked = checks(cells)
    const known = checked.filter(({ margin }) => margin !== undefined)
    const [worst] = [...known].sort((a, b) => (a.margin ?? 0) - (b.margin ?? 0))
    if (checked.length === 0 || worst === undefined) return []
    const missing = checked.length - known.length
    const short = known.filter(({ margin = 0 }) => margin < 1).length
    return [
      {
        target,
        reached: short > 0 ? "no" : missing > 0 ? "not measured" : "yes",
        worst: `${worst.what}: ${worst.found}${missing > 0 ? ` (${missing} of ${checked.length} not measured)` : ""}`
      }
    ]
  })
