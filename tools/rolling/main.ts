/** Replaces servers under load, and checks that no call is lost or executed twice: `npm run rolling -- --help`. */
import { Census } from "effect-muxado/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { certificates } from "../../test/support/certificates.js"
import type { Command } from "./options.js"
import { parse, USAGE } from "./options.js"
import { inWords, replaceServers } from "./replacing.js"
import type { Result } from "./report.js"
import { describeStampede, table } from "./report.js"
import { judgeStampede, stampede } from "./stampede.js"
import { judge, late } from "./verdict.js"

const FAILED = 1
const WRONG_USAGE = 2

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const run = ({ plans, stampede: stampedePlan }: Extract<Command, { _tag: "Run" }>) =>
  Effect.gen(function* () {
    const identities = yield* Effect.promise(certificates)
    const results: Array<Result> = []
    for (const plan of plans) {
      const found = yield* Census.leavesNothing(replaceServers(plan, identities, say), { resources: true })
      const verdict = judge(found)
      results.push({ found, verdict, faults: [...verdict.faults, ...late(found)] })
    }
    const faults = results.flatMap(({ faults, found }) => faults.map((fault) => `${inWords(found.plan)}: ${fault}`))
    if (stampedePlan !== undefined) {
      const crowd = yield* Census.leavesNothing(stampede(stampedePlan, say), { resources: true })
      faults.push(...judgeStampede(crowd).map((fault) => `stampede: ${fault}`))
      say(`\n${describeStampede(crowd)}`)
    }
    if (results.length > 0) say(`\n${table(results)}`)
    say(faults.length === 0 ? "\nNo promise was broken." : `\nFAILED:\n${faults.join("\n")}`)
    return faults.length === 0 ? 0 : FAILED
  })

const main = Effect.suspend(() => {
  const command = parse(process.argv.slice(2))
  if (Either.isLeft(command)) {
    process.stderr.write(`${command.left.message}\n\n${USAGE}`)
    return Effect.succeed(WRONG_USAGE)
  }
  if (command.right._tag === "Help") {
    process.stdout.write(USAGE)
    return Effect.succeed(0)
  }
  return run(command.right)
})

// a managed session logs each loss of its server, and here that is no news
Effect.runFork(Logger.withMinimumLogLevel(main, LogLevel.Fatal)).addObserver((exit) => {
  if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  process.exitCode = Exit.isSuccess(exit) ? exit.value : FAILED
})
