/** A process that this tool starts, and the messages that it sends. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ChildProcess, StdioOptions } from "node:child_process"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Child {
  readonly process: ChildProcess
  /** Completes with the exit code when the process has ended; with -1 after a signal. */
  readonly ended: Effect.Effect<number>
}

/**
 * Starts a program of `programs/`. When the scope closes, the process gets the end of its channel and 10 seconds to end,
 * and is then killed.
 */
export const startChild = <A, I>(options: {
  readonly program: string
  readonly settings: object
  readonly says: Schema.Schema<A, I>
  readonly onMessage: (message: A) => void
  /** Descriptors that it inherits, from number 4. */
  readonly inherits?: ReadonlyArray<number>
}): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = fileURLToPath(new URL(`programs/${options.program}`, import.meta.url))
      const stdio: StdioOptions = ["ignore", "inherit", "inherit", "ipc", ...(options.inherits ?? [])]
      const child = fork(path, [JSON.stringify(options.settings)], { execArgv: ["--import", "tsx"], stdio })
      const decode = Schema.decodeUnknownSync(options.says)
      const ended = Deferred.unsafeMake<number>(FiberId.none)
      child.on("message", (message) => options.onMessage(decode(message)))
      child.once("exit", (code) => Deferred.unsafeDone(ended, Exit.succeed(code ?? -1)))
      return { process: child, ended: Deferred.await(ended) }
    }),
    ({ ended, process }) =>
      Effect.suspend(() => {
        if (process.connected) process.disconnect()
        return Effect.timeoutTo(Effect.interruptible(ended), {
          duration: "10 seconds",
          onSuccess: () => Effect.void,
          onTimeout: () =>
            Effect.zipRight(
              Effect.sync(() => process.kill("SIGKILL")),
              ended
            )
        }).pipe(Effect.flatten)
      })
  )
