/** The peers in Go: one program, built if there is a Go toolchain. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Lack } from "./cells.js"
import { arrayIn, has, field, parse, stringIn, stringsIn } from "./json.js"
import type { Command } from "./process.js"

const run = promisify(execFile)

const directory = fileURLToPath(new URL("../go/", import.meta.url))
const program = fileURLToPath(new URL("../go/bin/bench", import.meta.url))

export interface GoPeer {
  readonly name: string
  readonly about: string
  readonly lacks: Partial<Record<Lack, string>>
}

export const goCommand = (args: ReadonlyArray<string>): Command => ({ program, args })

/** Builds it, and asks it who they are. Fails where it cannot be built. */
export const goPeers = async (): Promise<ReadonlyArray<GoPeer>> => {
  await run("go", ["build", "-o", program, "."], { cwd: directory })
  const { stdout } = await run(program, ["about"])
  return arrayIn(parse(stdout), "peers").map((peer) => ({
    name: stringIn(peer, "name"),
    about: stringIn(peer, "about"),
    lacks: has(peer, "lacks") ? stringsIn(field(peer, "lacks")) : {}
  }))
}
