/**
 * `npm start [DIR]`: mirrors a directory from this process to another one, over one TLS connection.
 *
 * Each file has a stream, and many are open at once. Meanwhile the server sends its verdicts over streams that it
 * opens: see `mirror/protocol.ts`. This file prints the first line, and loads the rest after that, because the
 * libraries take long to load.
 */
import { existsSync } from "node:fs"
import * as Options from "./mirror/options.js"

const options = Options.parse(process.argv.slice(2))
const bar = await begin()
const { main } = await import("./mirror/main.js")
main(options, bar)

/** Prints the first line, and on a terminal the bar. Prints nothing if no mirror begins. */
async function begin() {
  if (options._tag !== "Mirror" || (options.source !== undefined && !existsSync(options.source))) return undefined
  const what = options.source ?? "the sources and documents of this project"
  process.stderr.write(`Mirroring ${what}: starting a second process, and TLS between the two\n`)
  if (!process.stderr.isTTY) return undefined
  const { drawBar } = await import("./mirror/bar.js")
  return drawBar()
}
