/** The command line. It is read before any library is loaded, so this file has only plain code. */
import { parseArgs } from "node:util"

export const USAGE = `Usage: npm start -- [DIR] [options]

Mirrors DIR (or one file; without it the sources and documents of this project) from one process to another over one
TLS connection, a stream for each file, and compares the digests.

  --heartbeat-interval MS    silence after which the other side is asked for a sign of life (2000)
  --heartbeat-tolerance MS   how long it may take to answer (3000)
  --verbose                  says more on stderr
  --help`

/** The options of both processes. */
export interface Common {
  readonly heartbeatInterval: number
  readonly heartbeatTolerance: number
  readonly verbose: boolean
}

export interface Mirror extends Common {
  readonly _tag: "Mirror"
  /** A directory or a file. Default: this project. */
  readonly source: string | undefined
}

/** The options with which the client starts its server. */
export interface ServeInto extends Common {
  readonly _tag: "ServeInto"
  readonly directory: string
}

export type Options =
  Mirror | ServeInto | { readonly _tag: "Help" } | { readonly _tag: "Wrong"; readonly detail: string }

export const parse = (args: ReadonlyArray<string>): Options => {
  try {
    const { positionals, values } = split(args)
    if (values.help === true) return { _tag: "Help" }
    if (positionals.length > 1) return { _tag: "Wrong", detail: `one DIR, not ${positionals.length}` }
    const common: Common = {
      heartbeatInterval: millis("heartbeat-interval", values["heartbeat-interval"], 2000),
      heartbeatTolerance: millis("heartbeat-tolerance", values["heartbeat-tolerance"], 3000),
      verbose: values.verbose === true
    }
    const directory = values["serve-into"]
    return directory === undefined
      ? { _tag: "Mirror", ...common, source: positionals[0] }
      : { _tag: "ServeInto", ...common, directory }
  } catch (error) {
    return { _tag: "Wrong", detail: error instanceof Error ? error.message : String(error) }
  }
}

/** The arguments from which `parse` makes these options. */
export const toArguments = (options: Common): ReadonlyArray<string> => [
  "--heartbeat-interval",
  String(options.heartbeatInterval),
  "--heartbeat-tolerance",
  String(options.heartbeatTolerance),
  ...(options.verbose ? ["--verbose"] : [])
]

const split = (args: ReadonlyArray<string>) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      "heartbeat-interval": { type: "string" },
      "heartbeat-tolerance": { type: "string" },
      "serve-into": { type: "string" },
      verbose: { type: "boolean" },
      help: { type: "boolean" }
    }
  })

const millis = (name: string, given: string | undefined, fallback: number): number => {
  if (given === undefined) return fallback
  const value = /^\d{1,10}$/.test(given) ? Number(given) : 0
  if (value >= 1 && value < 2 ** 31) return value
  throw new RangeError(`--${name}: expected milliseconds from 1 to ${2 ** 31 - 1}, not ${JSON.stringify(given)}`)
}
