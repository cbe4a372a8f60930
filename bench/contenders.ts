/** The contenders: each peer on both sides, and pairs of ours with another implementation of the same wire. */
import { mkdirSync } from "node:fs"
import type { Cell, Lack } from "./cells.js"
import { goCommand, goPeers } from "./goPeers.js"
import { loadPeer, peerNames } from "./peers/index.js"
import type { Command } from "./process.js"
import { nodeCommand } from "./process.js"

/** `label` names the profile. */
type Start = (args: ReadonlyArray<string>, label: string) => Command

export interface Contender {
  readonly name: string
  readonly about: string
  readonly lacks: Partial<Record<Lack, string>>
  /** The cells that it is there for; all where there are none. */
  readonly only?: ReadonlyArray<Cell["id"]>
  readonly server: Start
  readonly client: Start
}

/** The one in Go that a session of ours with default options talks to. */
const TYPED = "go-muxado-typed"

const INTEROP_CELLS = ["echo-64-64", "bulk-1-up", "wan-50-100", "wan-100-100", "wan-50-1000", "wan-100-1000"]

export interface Found {
  readonly contenders: ReadonlyArray<Contender>
  /** Who cannot be measured here, and why. */
  readonly missing: Record<string, string>
}

/** Profiles go to `profiles` where it is given. */
export const findContenders = async (wanted: (name: string) => boolean, profiles?: string): Promise<Found> => {
  const contenders: Array<Contender> = []
  const missing: Record<string, string> = {}
  for (const name of peerNames.filter(wanted)) {
    try {
      const { about, lacks = {} } = await loadPeer(name)
      contenders.push({ name, about, lacks, server: inNode(name, profiles), client: inNode(name, profiles) })
    } catch (cause) {
      missing[name] = reason(cause)
    }
  }
  try {
    for (const { name, about, lacks } of await goPeers()) {
      if (name === TYPED) continue
      const typed: Start = (args) => goCommand([TYPED, ...args])
      const go: Start = (args) => goCommand([name, ...args])
      const ours = inNode("ours", profiles)
      contenders.push({ name, about, lacks, server: go, client: go })
      if (name === "go-muxado") {
        const interop = { lacks: {}, only: INTEROP_CELLS }
        contenders.push(
          { ...interop, name: "go-muxado -> ours", about: "its client, our server", server: ours, client: typed },
          { ...interop, name: "ours -> go-muxado", about: "our client, its server", server: typed, client: ours }
        )
      }
    }
  } catch (cause) {
    missing["go"] = reason(cause)
  }
  return { contenders: contenders.filter(({ name }) => wanted(name)), missing }
}

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const inNode =
  (peer: string, profiles: string | undefined): Start =>
  (args, label) => {
    const flags = ["--expose-gc"]
    if (profiles !== undefined) {
      mkdirSync(profiles, { recursive: true })
      flags.push("--cpu-prof", `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${label}.cpuprofile`)
    }
    return nodeCommand("child.js", [peer, ...args], flags)
  }
