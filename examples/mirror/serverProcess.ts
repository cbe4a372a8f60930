/** The server as a child process, and the session with it. */
import * as Command from "@effect/platform/Command"
import type { Process } from "@effect/platform/CommandExecutor"
import * as FileSystem from "@effect/platform/FileSystem"
import type { SessionOptions } from "effect-muxado"
import { Session } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { ServerFailed } from "./errors.js"
import { Announcement } from "./protocol.js"

/** A server that listens. It ends with the layer. */
export class ServerProcess extends Context.Tag("mirror/ServerProcess")<
  ServerProcess,
  { readonly pid: number; readonly port: number; readonly certificate: string }
>() {}

/** Starts this script again with `args`, which tell it to serve, and the path of a directory as the last argument. */
export const layer = (args: ReadonlyArray<string>) => Layer.scoped(ServerProcess, start(args))

const start = Effect.fn("ServerProcess.start")(function* (args: ReadonlyArray<string>) {
  const directory = yield* temporaryDirectory
  const script = process.argv[1]
  if (script === undefined) return yield* new ServerFailed({ detail: "there is no script to start again" })
  // Node's own arguments include the loader that this script needs
  const child = yield* Command.start(
    Command.make(process.execPath, ...process.execArgv, script, ...args, directory).pipe(Command.stderr("inherit"))
  ).pipe(Effect.mapError((error) => new ServerFailed({ detail: error.message })))
  yield* Effect.addFinalizer((exit) => stop(child, exit))
  const { certificate, port } = yield* announced(child)
  return { pid: child.pid, port, certificate }
})

/** The server removes the directory. If it could not, this does. */
const temporaryDirectory = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.acquireRelease(fs.makeTempDirectory({ prefix: "mirror-" }), (directory) =>
    Effect.ignore(fs.remove(directory, { recursive: true, force: true }))
  )
})

const announced = (child: Process) =>
  child.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runHead,
    Effect.flatten,
    Effect.flatMap(Schema.decode(Announcement)),
    Effect.timeout("20 seconds"),
    Effect.mapError((error) => new ServerFailed({ detail: `The server did not start: ${error.message}` }))
  )

/** A server whose session has ended in order ends by itself. Any other server is killed: it may be stopped. */
const stop = (child: Process, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  const patience = Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause) ? "3 seconds" : 0
  return Effect.interruptible(child.exitCode).pipe(
    Effect.timeout(patience),
    Effect.catchAll(() => child.kill("SIGKILL")),
    Effect.ignore
  )
}

/** One connection to the server. Its certificate must be the one of the server that was started. */
export const layerSession = (options: SessionOptions) =>
  Layer.unwrapEffect(
    Effect.map(ServerProcess, ({ certificate, port }) =>
      Session.layerClient(options).pipe(
        Layer.provide(NodeTransport.layerTls({ host: "127.0.0.1", port, ca: certificate }))
      )
    )
  )
