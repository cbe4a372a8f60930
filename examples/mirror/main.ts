/** Runs the client or the server, and reports how it ends. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type { Teardown } from "@effect/platform/Runtime"
import type { SessionOptions } from "effect-muxado"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { onFirstSignal } from "../shared/signals.js"
import type { Bar } from "./bar.js"
import { mirror } from "./client.js"
import { SourceUnavailable, UsageError } from "./errors.js"
import * as Options from "./options.js"
import * as Progress from "./progress.js"
import * as Report from "./report.js"
import { serveInto } from "./server.js"
import * as ServerProcess from "./serverProcess.js"
import * as Source from "./source.js"

/** Runs the program. The bar, if there is one, is already on the terminal. */
export const main = (options: Options.Options, bar: Bar | undefined): void => {
  // `runMain` interrupts at the first signal; the second one kills the process
  onFirstSignal(() => {})
  NodeRuntime.runMain(run(options, bar).pipe(Effect.tapErrorCause(report), Effect.provide(NodeContext.layer)), {
    disableErrorReporting: true,
    teardown
  })
}

const run = Effect.fn("run")(function* (options: Options.Options, bar: Bar | undefined) {
  switch (options._tag) {
    case "Help":
      return yield* Console.log(Options.USAGE)
    case "Wrong":
      return yield* new UsageError({ detail: options.detail })
    case "ServeInto":
      return yield* serveInto(options.directory, sessionOptions(options), options.verbose)
    case "Mirror":
      return yield* Effect.flatMap(client(options, bar), (mirrored) => Console.log(Report.render(mirrored)))
  }
})

const client = Effect.fn("client")(function* (options: Options.Mirror, bar: Bar | undefined) {
  yield* Effect.addFinalizer(() => Effect.sync(() => bar?.stop()))
  const source = yield* options.source === undefined ? Source.ownProject : Source.fromPath(options.source)
  const progress = yield* Progress.make(Source.amountOf(source), bar)
  return yield* Effect.zipRight(announce(options), mirror(source, progress)).pipe(Effect.provide(connection(options)))
}, Effect.scoped)

/** A server process and a session with it. Both have ended before the report is printed. */
const connection = (options: Options.Mirror) =>
  ServerProcess.layerSession(sessionOptions(options)).pipe(
    Layer.provideMerge(ServerProcess.layer([...Options.toArguments(options), "--serve-into"]))
  )

const announce = Effect.fn("announce")(function* (options: Options.Mirror) {
  const { pid } = yield* ServerProcess.ServerProcess
  if (options.verbose) yield* Console.error(`server pid ${pid}`)
})

const sessionOptions = ({ heartbeatInterval, heartbeatTolerance }: Options.Common): SessionOptions => ({
  heartbeat: { interval: heartbeatInterval, tolerance: heartbeatTolerance }
})

// --- endings ---

/** An expected error is one line. Only a defect has a stack trace. */
const report = <E extends { readonly _tag: string; readonly message: string }>(cause: Cause.Cause<E>) =>
  Cause.isInterruptedOnly(cause)
    ? Effect.void
    : Console.error(
        Either.match(Cause.failureOrCause(cause), {
          onLeft: (error) => `${error._tag}: ${error.message}`,
          onRight: (defect) => Cause.pretty(defect)
        })
      )

const teardown: Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(0)
  if (Cause.isInterruptedOnly(exit.cause)) return onExit(130)
  const error = Either.getOrElse(Either.flip(Cause.failureOrCause(exit.cause)), () => undefined)
  onExit(error instanceof UsageError || error instanceof SourceUnavailable ? 2 : 1)
}
