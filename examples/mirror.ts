/**
 * `npm start [DIR]`: mirrors a directory from this process to another one, over one TLS connection.
 *
 * Every file has a stream of its own, many at once, while the server pushes its verdicts back over streams that it
 * opens: see `mirror/protocol.ts`. This file only says what begins, and loads the rest after that: the libraries take
 * longer to load than a person should wait for a first line.
 */
import { existsSync } from "node:fs"
import * as Options from "./mirror/options.js"

const options = Options.parse(process.argv.slice(2))
const bar = await begin()
const { main } = await import("./mirror/main.js")
main(options, bar)

/** The first line, and on a terminal the bar; nothing where no mirror begins. */
async function begin() {
  if (options._tag !== "Mirror" || (options.source !== undefined && !existsSync(options.source))) return undefined
  const what = options.source ?? "the sources and documents of this project"
  process.stderr.write(`Mirroring ${what}: starting a second process, and TLS between the two\n`)
  if (!process.stderr.isTTY) return undefined
  const { drawBar } = await import("./mirror/bar.js")
  return drawBar()
}
