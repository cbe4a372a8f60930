/**
 * `npm start [DIR]`: mirrors a directory from this process to another one, over one TLS connection.
 *
 * Every file has a stream of its own, many at once, while the server pushes its verdicts back over streams that it
 * opens: see `mirror/protocol.ts`. This file only decides which of the two sides it is, and how that ends.
 */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import type { Teardown } from "@effect/platform/Runtime"
import type { SessionOptions } from "effect-muxado"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { mirror } from "./mirror/client.js"
import { SourceUnavailable, UsageError } from "./mirror/errors.js"
import * as Options from "./mirror/options.js"
import * as Report from "./mirror/report.js"
import { serveInto } from "./mirror/server.js"
import * as ServerProcess from "./mirror/serverProcess.js"
import * as Source from "./mirror/source.js"

const main = Effect.gen(function* () {
  const options = yield* Options.parse(process.argv.slice(2))
  if (options.help) return yield* Console.log(Options.USAGE)
  const directory = options["serve-into"]
  yield* directory === undefined ? client(options) : serveInto(directory, sessionOptions(options))
})

const client = Effect.fn("client")(function* (options: Options.Options) {
  const source = yield* options.source === undefined ? Source.ownProject : Source.fromPath(options.source)
  const mirrored = yield* Effect.zipRight(announce(options), mirror(source)).pipe(Effect.provide(connection(options)))
  yield* Console.log(Report.render(mirrored))
})

/** A server process and the session with it. Both are gone before the report comes. */
const connection = (options: Options.Options) =>
  ServerProcess.layerSession(sessionOptions(options)).pipe(
    Layer.provideMerge(ServerProcess.layer([...heartbeatArguments(options), "--serve-into"]))
  )

const announce = Effect.fn("announce")(function* (options: Options.Options) {
  const { pid } = yield* ServerProcess.ServerProcess
  if (options.verbose) yield* Console.error(`server pid ${pid}`)
})

const sessionOptions = (options: Options.Options): SessionOptions => ({
  heartbeat: { interval: options["heartbeat-interval"], tolerance: options["heartbeat-tolerance"] }
})

const heartbeatArguments = (options: Options.Options): ReadonlyArray<string> =>
  (["heartbeat-interval", "heartbeat-tolerance"] as const).flatMap((name) => [`--${name}`, String(options[name])])

// --- endings ---

/** An error that was foreseen is one line; a stack trace is for what was not. */
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

NodeRuntime.runMain(main.pipe(Effect.tapErrorCause(report), Effect.provide(NodeContext.layer)), {
  disableErrorReporting: true,
  teardown
})
