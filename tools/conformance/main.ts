/** Runs the conformance suite against a muxado: see `npm run conformance -- --help`. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { parse, USAGE } from "./cli/arguments.js"
import { count, resultAsJson, resultInWords } from "./cli/output.js"
import { run } from "./cli/run.js"
import { rows } from "./rows/index.js"

const FAILED = 1
const WRONG_USAGE = 2

const print = (line: string) => Effect.sync(() => void process.stdout.write(`${line}\n`))
const complain = (text: string) => Effect.sync(() => void process.stderr.write(`${text}\n`))

const main = Effect.gen(function* () {
  const command = parse(process.argv.slice(2), rows)
  if (command._tag === "Left") {
    yield* complain(`conformance: ${command.left}\n\n${USAGE}`)
    return WRONG_USAGE
  }
  if (command.right._tag === "Help") {
    yield* print(USAGE.trimEnd())
    return 0
  }
  const { json } = command.right
  const results = yield* run(command.right, complain, (result) =>
    print(json ? resultAsJson(result) : resultInWords(result))
  )
  const { failed, mustFailed, passed } = count(results)
  yield* print(json ? JSON.stringify({ passed, failed, mustFailed }) : `${passed} passed, ${failed} failed`)
  return mustFailed > 0 ? FAILED : 0
}).pipe(
  Effect.catchTag("NoConnection", ({ message }) => Effect.as(complain(`conformance: ${message}`), FAILED)),
  // the rows break the rules on purpose, and say themselves what came of it
  Logger.withMinimumLogLevel(LogLevel.Error)
)

Effect.runFork(main).addObserver((exit) => {
  if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  process.exitCode = Exit.isSuccess(exit) ? exit.value : FAILED
})
