/** The command line of the echo program, and the options that it means. */
import type { SessionOptions } from "effect-muxado"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { parseArgs } from "node:util"

export const USAGE = `Usage: echo serve --port P [options]
       echo dial  --port P [options]

serve  Echoes every stream until its FIN, then finishes it. Prints \`listening HOST:PORT\`, then one JSON line when a
       session begins and one when it ends.
dial   Opens streams, sends pseudo-random bytes on each and checks that the same come back. Prints one JSON line, and
       exits with 1 at the first difference or error.

serve only:
  --port P                    required; 0 picks a free one
  --hold                      accepts connections, but never a stream

dial only:
  --port P                    required
  --streams N                 how many streams, one after the other (default 1)
  --bytes N                   how many bytes on each (default 1048576)
  --concurrency N             how many streams at once (default 16)

both:
  --host H                    the address (default 127.0.0.1)
  --tls                       TLS with a throw-away certificate; dial therefore does NOT verify the server's
  --untyped                   streams without types; implies --no-heartbeat. Both sides must agree
  --no-heartbeat              sends no heartbeats, whatever the two options below say
  --heartbeat-interval MS     silence before a heartbeat is sent (default 10000)
  --heartbeat-tolerance MS    silence after it before the session is dead (default 15000)
  --accept-backlog N          streams of the peer that may wait to be accepted (default --max-inbound-streams)
  --max-inbound-streams N     streams of the peer that may be open (default 1024)
  --window BYTES              window of each stream (default 262144). Both sides must agree
  --drain-timeout MS          how long the end waits for streams in flight (default 5000)
  --help                      this text

SIGTERM and SIGINT drain: no new streams, those in flight go on to their end, then exit code 0. Another one within a
second is the same one; a later one kills.
Exit codes: 0 done, 1 failed, 2 wrong usage.
`

/** The address, and the options that both commands have. */
interface Common {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly session: SessionOptions & { readonly drainTimeout: number }
}

export interface Serve extends Common {
  readonly _tag: "Serve"
  readonly hold: boolean
}

export interface Dial extends Common {
  readonly _tag: "Dial"
  readonly streams: number
  readonly bytes: number
  readonly concurrency: number
}

export type Command = Serve | Dial | { readonly _tag: "Help" }

/** The command, or a sentence about a wrong argument. */
export const parse = (argv: ReadonlyArray<string>): Either.Either<Command, string> => {
  const [command, ...rest] = argv
  switch (command) {
    case "serve":
      return Either.flatMap(split(rest, SERVE_OPTIONS), (values) =>
        values["help"] === true ? HELP : Either.map(decodeServe(values), toServe)
      )
    case "dial":
      return Either.flatMap(split(rest, DIAL_OPTIONS), (values) =>
        values["help"] === true ? HELP : Either.map(decodeDial(values), toDial)
      )
    case "--help":
    case "-h":
    case "help":
      return HELP
    case undefined:
      return Either.left("a command is missing")
    default:
      return Either.left(`there is no command ${JSON.stringify(command)}`)
  }
}

const HELP: Either.Either<Command, string> = Either.right({ _tag: "Help" })

// --- words to options

type OptionTypes = Readonly<Record<string, { readonly type: "string" | "boolean"; readonly short?: string }>>
type Values = Readonly<Record<string, unknown>>

const COMMON_OPTIONS = {
  help: { type: "boolean", short: "h" },
  host: { type: "string" },
  port: { type: "string" },
  tls: { type: "boolean" },
  untyped: { type: "boolean" },
  "no-heartbeat": { type: "boolean" },
  "heartbeat-interval": { type: "string" },
  "heartbeat-tolerance": { type: "string" },
  "accept-backlog": { type: "string" },
  "max-inbound-streams": { type: "string" },
  window: { type: "string" },
  "drain-timeout": { type: "string" }
} as const

const SERVE_OPTIONS: OptionTypes = { ...COMMON_OPTIONS, hold: { type: "boolean" } }

const DIAL_OPTIONS: OptionTypes = {
  ...COMMON_OPTIONS,
  streams: { type: "string" },
  bytes: { type: "string" },
  concurrency: { type: "string" }
}

const split = (args: ReadonlyArray<string>, options: OptionTypes): Either.Either<Values, string> =>
  Either.try({
    try: () => parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values,
    catch: (error) => (error instanceof Error ? error.message : String(error))
  })

// --- options to values

const integer = (least: number, most: number) =>
  Schema.String.pipe(
    Schema.pattern(/^\d+$/),
    Schema.compose(Schema.NumberFromString),
    Schema.int(),
    Schema.between(least, most),
    Schema.annotations({
      message: () => ({ message: `must be a whole number from ${least} to ${most}`, override: true })
    })
  )

const flag = Schema.optionalWith(Schema.Boolean, { default: () => false })

const UINT31 = 2 ** 31 - 1
const DAY = 86_400_000

const common = {
  host: Schema.optionalWith(Schema.NonEmptyString.annotations({ message: () => "must not be empty" }), {
    default: () => "127.0.0.1"
  }),
  tls: flag,
  untyped: flag,
  "no-heartbeat": flag,
  "heartbeat-interval": Schema.optional(integer(1, DAY)),
  "heartbeat-tolerance": Schema.optional(integer(1, DAY)),
  "accept-backlog": Schema.optional(integer(1, 1_000_000)),
  "max-inbound-streams": Schema.optional(integer(1, 1_000_000)),
  window: Schema.optional(integer(4, UINT31)),
  "drain-timeout": Schema.optionalWith(integer(1, DAY), { default: () => 5000 })
}

const required = <A, I, R>(schema: Schema.Schema<A, I, R>) =>
  Schema.propertySignature(schema).annotations({ missingMessage: () => "is required" })

const ServeValues = Schema.Struct({ ...common, port: required(integer(0, 65_535)), hold: flag })

const DialValues = Schema.Struct({
  ...common,
  port: required(integer(1, 65_535)),
  streams: Schema.optionalWith(integer(1, 100_000_000), { default: () => 1 }),
  bytes: Schema.optionalWith(integer(0, 2 ** 50), { default: () => 1_048_576 }),
  concurrency: Schema.optionalWith(integer(1, 1_000_000), { default: () => 16 })
})

const explain = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    .map((issue) => `--${issue.path.join(".")} ${issue.message}`)
    .join("; ")

const decoding =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (values: Values): Either.Either<A, string> =>
    Either.mapLeft(Schema.decodeUnknownEither(schema, { errors: "all" })(values), explain)

const decodeServe = decoding(ServeValues)
const decodeDial = decoding(DialValues)

const toCommon = (values: typeof ServeValues.Type | typeof DialValues.Type): Common => ({
  host: values.host,
  port: values.port,
  tls: values.tls,
  session: {
    typed: !values.untyped,
    heartbeat:
      values.untyped || values["no-heartbeat"]
        ? false
        : { interval: values["heartbeat-interval"], tolerance: values["heartbeat-tolerance"] },
    acceptBacklog: values["accept-backlog"],
    maxInboundStreams: values["max-inbound-streams"],
    window: values.window,
    drainTimeout: values["drain-timeout"]
  }
})

const toServe = (values: typeof ServeValues.Type): Command => ({
  _tag: "Serve",
  ...toCommon(values),
  hold: values.hold
})

const toDial = (values: typeof DialValues.Type): Command => ({
  _tag: "Dial",
  ...toCommon(values),
  streams: values.streams,
  bytes: values.bytes,
  concurrency: values.concurrency
})
