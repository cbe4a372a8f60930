/** The command line of `npm run rolling`. */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import { parseArgs } from "node:util"
import type { Handover } from "./fleet.js"
import type { Ending, Medium, Plan } from "./replacing.js"
import type { StampedePlan } from "./stampede.js"

export type Command =
  | { readonly _tag: "Help" }
  | { readonly _tag: "Run"; readonly plans: ReadonlyArray<Plan>; readonly stampede: StampedePlan | undefined }

export class WrongUsage extends Data.TaggedError("WrongUsage")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

const PARTS = ["drain", "kill", "stampede"] as const

export const USAGE = `usage: npm run rolling -- [OPTION VALUE]...

Replaces servers under load, by a drain and by kill -9, over TCP and TLS. Then 1,000 clients lose their server at the
same moment. All clients are managed sessions. Servers and many clients are processes of their own.

  --only PART,...       ${PARTS.join(", ")}. Default: all
  --replacements N      how often the server of each scenario is replaced. Default 10
  --calls N             calls each second, over all sessions. Default 200
  --sessions N          managed sessions that make the calls. Default 4
  --every SECONDS       from one replacement to the next, 2 or more, without the start of a process. Default 2
  --down SECONDS        from kill -9 until the next server listens. Default 0.5
  --clients N           clients of the stampede. Default 1000
  --outage SECONDS      from the loss of their server until the next one listens. Default 5
  --help                this text

It prints a line for each replacement, the histogram of the stampede, and one table at the end. The exit code is 1 if a
promise was broken, and 2 for a wrong option. With the defaults it takes 10 to 20 minutes on two
cores.
`

const NUMBERS = {
  replacements: { default: 10, least: 1 },
  calls: { default: 200, least: 1 },
  sessions: { default: 4, least: 1 },
  every: { default: 2, least: 2 },
  down: { default: 0.5, least: 0 },
  clients: { default: 1000, least: 1 },
  outage: { default: 5, least: 0 }
} as const

type NumberName = keyof typeof NUMBERS

const isNumberName = (name: string): name is NumberName => name in NUMBERS

export const parse = (args: ReadonlyArray<string>): Either.Either<Command, WrongUsage> =>
  Either.gen(function* () {
    const { only, ...given } = yield* Either.try({
      try: () =>
        parseArgs({
          args: [...args],
          options: {
            help: { type: "boolean" },
            only: { type: "string" },
            replacements: { type: "string" },
            calls: { type: "string" },
            sessions: { type: "string" },
            every: { type: "string" },
            down: { type: "string" },
            clients: { type: "string" },
            outage: { type: "string" }
          }
        }).values,
      catch: (error) => new WrongUsage({ detail: error instanceof Error ? error.message : String(error) })
    })
    if (given.help === true) return { _tag: "Help" } as const
    const numbers = {
      replacements: 0,
      calls: 0,
      sessions: 0,
      every: 0,
      down: 0,
      clients: 0,
      outage: 0
    }
    for (const name of Object.keys(NUMBERS).filter(isNumberName)) {
      const { default: fallback, least } = NUMBERS[name]
      const number = given[name] === undefined ? fallback : Number(given[name])
      const isCount = name !== "every" && name !== "down" && name !== "outage"
      if (!(number >= least) || !Number.isFinite(number) || (isCount && !Number.isInteger(number))) {
        return yield* Either.left(
          new WrongUsage({ detail: `--${name} must be ${isCount ? "an integer" : "a number"} of at least ${least}` })
        )
      }
      numbers[name] = number
    }
    const parts = only === undefined ? PARTS : only.split(",")
    const unknown = parts.find((part) => !PARTS.some((known) => known === part))
    if (unknown !== undefined) {
      return yield* Either.left(new WrongUsage({ detail: `--only ${unknown} is not one of ${PARTS.join(", ")}` }))
    }
    const plan = (medium: Medium, handover: Handover, ending: Ending): Plan => ({
      medium,
      ending,
      handover,
      replacements: numbers.replacements,
      rate: numbers.calls,
      sessions: numbers.sessions,
      every: 1000 * numbers.every,
      down: 1000 * numbers.down
    })
    const all = (ending: Ending): ReadonlyArray<Plan> => [
      plan("TCP", "HandedOver", ending),
      plan("TCP", "Anew", ending),
      plan("TLS", "HandedOver", ending),
      plan("TLS", "Anew", ending)
    ]
    return {
      _tag: "Run",
      plans: [
        ...(parts.some((part) => part === "drain") ? all("Drain") : []),
        ...(parts.some((part) => part === "kill") ? all("Kill") : [])
      ],
      stampede: parts.some((part) => part === "stampede")
        ? { clients: numbers.clients, outage: 1000 * numbers.outage }
        : undefined
    } as const
  })
