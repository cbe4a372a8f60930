/** The command line of the conformance suite, and the options that it means. */
import * as Either from "effect/Either"
import { parseArgs } from "node:util"
import type { Row } from "../row.js"

export const USAGE = `Usage: npm run conformance -- [options]

Without options all rows run, typed and untyped, over TCP against our own server and client.

a muxado that listens:
  --port P        its port; it must echo every stream until FIN, and then finish it
  --host H        its address (default 127.0.0.1)
  --hold          it never takes a stream: runs the rows for such ones instead

a muxado that dials:
  --listen PORT   where it is waited for, with one connection for each row (0 picks a free port); it must open a stream,
                  write "hello", finish, read to the end, wait for the end of the session, and dial again
  --host H        the address to listen on (default 127.0.0.1)
  --repeat        it opens one stream after the other as long as the session takes them: runs more rows

both:
  --untyped       its streams have no types
  --only ID,ID    these rows alone
  --limit MS      how long a row may take (default 5000)
  --json          one line of JSON for each row, and one for the counts
  --help          this text

Exit codes: 0 no MUST failed, 1 one did, 2 wrong usage.
`

export interface Run {
  readonly _tag: "Run"
  readonly target:
    | { readonly _tag: "Ours" }
    | { readonly _tag: "Listens"; readonly host: string; readonly port: number; readonly holds: boolean }
    | { readonly _tag: "Dials"; readonly host: string; readonly port: number; readonly repeats: boolean }
  /** Whether the sessions are typed; our own are both. */
  readonly typed: boolean
  readonly rows: ReadonlyArray<Row>
  readonly limit: number
  readonly json: boolean
}

export type Command = Run | { readonly _tag: "Help" }

const OPTIONS = {
  host: { type: "string" },
  port: { type: "string" },
  listen: { type: "string" },
  hold: { type: "boolean" },
  repeat: { type: "boolean" },
  untyped: { type: "boolean" },
  only: { type: "string" },
  limit: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" }
} as const

/** What is asked for, or a sentence about what is wrong. */
export const parse = (argv: ReadonlyArray<string>, table: ReadonlyArray<Row>): Either.Either<Command, string> =>
  Either.gen(function* () {
    const values = yield* Either.try({
      try: () => parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values,
      catch: (error) => (error instanceof Error ? error.message : String(error))
    })
    const {
      help = false,
      hold = false,
      host,
      json = false,
      listen,
      only,
      port,
      repeat = false,
      untyped = false
    } = values
    if (help) return { _tag: "Help" }
    const wrong =
      listen !== undefined && port !== undefined
        ? "--port and --listen exclude each other"
        : hold && port === undefined
          ? "--hold needs --port"
          : repeat && listen === undefined
            ? "--repeat needs --listen"
            : port === undefined && listen === undefined && (host !== undefined || untyped)
              ? "--host and --untyped need --port or --listen"
              : host === ""
                ? "--host must not be empty"
                : undefined
    if (wrong !== undefined) return yield* Either.left(wrong)
    const address = host ?? "127.0.0.1"
    return {
      _tag: "Run",
      target:
        port !== undefined
          ? { _tag: "Listens", host: address, port: yield* whole("--port", port, 1, 65_535), holds: hold }
          : listen !== undefined
            ? { _tag: "Dials", host: address, port: yield* whole("--listen", listen, 0, 65_535), repeats: repeat }
            : { _tag: "Ours" },
      typed: !untyped,
      rows: only === undefined ? table : yield* select(only, table),
      limit: values.limit === undefined ? 5000 : yield* whole("--limit", values.limit, 1, 3_600_000),
      json
    }
  })

const whole = (name: string, value: string, least: number, most: number): Either.Either<number, string> => {
  const number = /^\d+$/.test(value) ? Number(value) : NaN
  return number >= least && number <= most
    ? Either.right(number)
    : Either.left(`${name} must be a whole number from ${least} to ${most}`)
}

const select = (only: string, table: ReadonlyArray<Row>): Either.Either<ReadonlyArray<Row>, string> =>
  Either.all(
    only.split(",").map((id) => {
      const row = table.find((candidate) => candidate.id === id.trim())
      return row === undefined ? Either.left(`--only: there is no row ${JSON.stringify(id)}`) : Either.right(row)
    })
  )
