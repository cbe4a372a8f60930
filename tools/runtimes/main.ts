/** `npm run test:runtimes`: the built package in Node, Bun and Deno. `--help` lists the options. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { existsSync } from "node:fs"
import { parse, USAGE } from "./arguments.js"
import type { Cell } from "./matrix.js"
import { matrixOf } from "./matrix.js"
import type { Case } from "./programs/messages.js"
import * as Pair from "./pair.js"
import { nameOf, planOf } from "./plan.js"
import * as Project from "./project.js"
import type { Runtime, RuntimeName } from "./runtimes.js"
import { provide } from "./runtimes.js"
import type { Selection } from "./arguments.js"

const FAILED = 1
const WRONG_USAGE = 2

/** Most of a pair's time is waiting: for heartbeats, for silence, for processes to start. */
const PAIRS_AT_ONCE = 3

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const runAll = (selection: Selection) =>
  Effect.gen(function* () {
    if (!existsSync("dist/index.js")) {
      return yield* Effect.fail(
        new Error("dist/ is not there: `npm run build` makes it, as `npm run test:runtimes` does")
      )
    }
    const runtimes = new Map<RuntimeName, Runtime>()
    const missing = new Map<RuntimeName, string>()
    for (const name of selection.runtimes) {
      const found = yield* Effect.either(provide(name, say))
      if (Either.isRight(found)) {
        runtimes.set(name, found.right)
        say(`${name} is ${found.right.version}`)
      } else {
        missing.set(name, found.left.message)
        say(`${name} is missing: ${found.left.message}`)
      }
    }
    const project = yield* Project.make
    const rows = yield* Effect.forEach(
      planOf(selection),
      (row): Effect.Effect<ReadonlyArray<Cell>> => {
        const { cases, medium } = row
        const pair = nameOf(row)
        const done = (name: Case, result: Cell["result"], remark: string): Cell => {
          say(`${result} ${pair} ${medium} ${name}${remark}`)
          return { pair, medium, case: name, result }
        }
        const [client, server] = [runtimes.get(row.client), runtimes.get(row.server)]
        if (client === undefined || server === undefined) {
          const why = missing.get(row.client) ?? missing.get(row.server) ?? ""
          const result = process.env["CI"] === "true" ? "failed" : "skipped"
          return Effect.sync(() => cases.map((name) => done(name, result, `: ${why}`)))
        }
        return Effect.scoped(
          Effect.flatMap(Pair.make(project, { client, server }, medium), (runCase) =>
            Effect.forEach(cases, (name) =>
              Effect.map(runCase(name), ({ failure, milliseconds }) => {
                const time = ` (${(milliseconds / 1000).toFixed(1)} s)`
                return failure === undefined
                  ? done(name, "passed", time)
                  : done(name, "failed", `${time}\n${indented(failure)}`)
              })
            )
          )
        )
      },
      { concurrency: PAIRS_AT_ONCE }
    )
    const cells = rows.flat()
    say(`\n${matrixOf(cells)}`)
    return cells.some(({ result }) => result === "failed") ? FAILED : 0
  }).pipe(Effect.scoped)

const indented = (text: string): string => text.replace(/^/gm, "    ")

const main = async (): Promise<number> => {
  const command = parse(process.argv.slice(2))
  if (Either.isLeft(command)) {
    process.stderr.write(`${command.left.message}\n\n${USAGE}`)
    return WRONG_USAGE
  }
  if (command.right._tag === "Help") {
    process.stdout.write(USAGE)
    return 0
  }
  const stop = new AbortController()
  process.once("SIGINT", () => stop.abort())
  process.once("SIGTERM", () => stop.abort())
  return Effect.runPromise(runAll(command.right.selection), { signal: stop.signal })
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = FAILED
  }
)
