/** The other implementations, and where their programs are built. */
import { fileURLToPath } from "node:url"

export const PEERS = ["go", "go-2.0.1", "rust"] as const

export type PeerName = (typeof PEERS)[number]

export interface Toolchain {
  readonly name: "Go" | "Rust"
  /** A command that shows that it is there. */
  readonly probe: readonly [string, ...ReadonlyArray<string>]
}

export interface Build {
  readonly toolchain: Toolchain
  readonly directory: string
  readonly command: readonly [string, ...ReadonlyArray<string>]
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** What is built is kept here, out of the tree that is checked in. */
const OUTPUT = at("../../reports/interop/")

const GO: Toolchain = { name: "Go", probe: ["go", "version"] }
const RUST: Toolchain = { name: "Rust", probe: ["cargo", "--version"] }

export const programOf = (peer: PeerName): string =>
  peer === "rust" ? `${OUTPUT}rust/release/peer-rust` : `${OUTPUT}peer-${peer}`

export const buildOf = (peer: PeerName): Build => {
  switch (peer) {
    case "go":
      return { toolchain: GO, directory: at("peers/go"), command: ["go", "build", "-o", programOf(peer), "."] }
    case "go-2.0.1":
      return {
        toolchain: GO,
        directory: at("peers/go"),
        command: ["go", "build", "-modfile=go.v2.0.1.mod", "-o", programOf(peer), "."]
      }
    case "rust":
      return {
        toolchain: RUST,
        directory: at("peers/rust"),
        command: ["cargo", "build", "--release", "--locked", "--target-dir", `${OUTPUT}rust`]
      }
  }
}
