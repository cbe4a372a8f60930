/** The command line. */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { parseArgs } from "node:util"
import { UsageError } from "./errors.js"

export const USAGE = `Usage: npm start -- [DIR] [options]

Mirrors DIR (or one file; without it the sources and documents of this project) from one process to another over one
TLS connection, a stream for each file, and compares the digests.

  --heartbeat-interval MS    silence after which the other side is asked for a sign of life (2000)
  --heartbeat-tolerance MS   how long it may take to answer (3000)
  --verbose                  says more on stderr
  --help`

const Millis = Schema.NumberFromString.pipe(
  Schema.int(),
  Schema.between(1, 2 ** 31 - 1, { message: (issue) => `expected milliseconds, not ${String(issue.actual)}` })
)

const Values = Schema.Struct({
  "heartbeat-interval": Schema.optionalWith(Millis, { default: () => 2000 }),
  "heartbeat-tolerance": Schema.optionalWith(Millis, { default: () => 3000 }),
  // how the client starts its server
  "serve-into": Schema.optional(Schema.String),
  verbose: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  help: Schema.optionalWith(Schema.Boolean, { default: () => false })
})

export type Options = typeof Values.Type & { readonly source: string | undefined }

export const parse = Effect.fn("Options.parse")(function* (args: ReadonlyArray<string>) {
  const { positionals, values } = yield* Effect.try({
    try: () =>
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
      }),
    catch: (error) => new UsageError({ detail: error instanceof Error ? error.message : String(error) })
  })
  if (positionals.length > 1) return yield* new UsageError({ detail: `one DIR, not ${positionals.length}` })
  const decoded = yield* Effect.mapError(Schema.decodeUnknown(Values)(values), usageError)
  const options: Options = { ...decoded, source: positionals[0] }
  return options
})

const usageError = (error: ParseResult.ParseError): UsageError =>
  new UsageError({
    detail: ParseResult.ArrayFormatter.formatErrorSync(error)
      .map((issue) => `--${issue.path.join(".")}: ${issue.message}`)
      .join(", ")
  })
