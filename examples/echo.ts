/** An echo server and client, for scripts and for peers in other languages: see `echo --help`. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import type { Command } from "./echo/arguments.js"
import { parse, USAGE } from "./echo/arguments.js"
import { dial } from "./echo/dial.js"
import { complain, errorFields, outliveReaders, printEvent } from "./echo/output.js"
import { serve } from "./echo/serve.js"
import { onFirstSignal } from "./shared/signals.js"

const FAILED = 1
const WRONG_USAGE = 2

const run = (command: Command, stop: Effect.Effect<void>): Effect.Effect<number> => {
  switch (command._tag) {
    case "Help":
      return Effect.sync(() => process.stdout.write(USAGE)).pipe(Effect.as(0))
    case "Serve":
      return Effect.matchEffect(serve(command, stop), {
        // the first line of its standard output is its address; if it cannot listen, there is none
        onFailure: (error) =>
          Effect.as(complain(`${JSON.stringify({ event: "failed", ...errorFields(error) })}\n`), FAILED),
        onSuccess: () => Effect.succeed(0)
      })
    case "Dial":
      return Effect.matchEffect(dial(command, stop), {
        onFailure: (error) => Effect.as(printEvent("failed", errorFields(error)), FAILED),
        onSuccess: (summary) => Effect.as(printEvent("dialled", summary), 0)
      })
  }
}

/** Listens for SIGTERM and SIGINT from now on, and waits for the first one. */
const listenForSignals: Effect.Effect<Effect.Effect<void>> = Effect.map(Deferred.make<void>(), (signalled) => {
  onFirstSignal(() => Deferred.unsafeDone(signalled, Effect.void))
  return Deferred.await(signalled)
})

const main = Effect.gen(function* () {
  yield* outliveReaders
  const command = parse(process.argv.slice(2))
  if (command._tag === "Left") {
    yield* complain(`echo: ${command.left}\n\n${USAGE}`)
    return WRONG_USAGE
  }
  return yield* run(command.right, yield* listenForSignals)
}).pipe(
  // log lines are not part of the interface
  Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)))
)

Effect.runFork(main).addObserver((exit) => {
  if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  process.exitCode = Exit.isSuccess(exit) ? exit.value : FAILED
})
