/** One program of a pair, in a separate process. It reads and writes lines of JSON. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Mailbox from "effect/Mailbox"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"

/** A process that ended although more was expected from it. */
export class ProcessEnded extends Data.TaggedError("ProcessEnded")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export interface Process<In> {
  readonly next: Effect.Effect<In, ProcessEnded>
  readonly send: (message: object) => Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly isRunning: () => boolean
  /** The end of what it wrote to its standard error. */
  readonly complaints: () => string
}

const MAX_COMPLAINTS = 2_000

/** Runs the command, and kills it with the scope. Lines that are none of `schema` are complaints. */
export const start = <In, Encoded>(
  schema: Schema.Schema<In, Encoded>,
  command: string,
  args: ReadonlyArray<string>,
  cwd: string
): Effect.Effect<Process<In>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const lines = yield* Mailbox.make<In, ProcessEnded>()
    const decode = Schema.decodeUnknownEither(Schema.parseJson(schema))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(command, args, { cwd, stdio: ["pipe", "pipe", "pipe"] })),
      (child) =>
        Effect.async<void>((resume) => {
          if (ended) return resume(Effect.void)
          child.once("close", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
    let ended = false
    let complaints = ""
    const complain = (text: string): void => {
      complaints = (complaints + text).slice(-MAX_COMPLAINTS)
    }
    const end = (how: string): void => {
      ended = true
      lines.unsafeDone(Exit.fail(new ProcessEnded({ detail: `the process ended (${how})` })))
    }
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = decode(line)
      if (message._tag === "Right") lines.unsafeOffer(message.right)
      else complain(`${line}\n`)
    })
    child.stderr.on("data", (data) => complain(String(data)))
    // a process that is gone cannot be written to
    child.stdin.on("error", () => {})
    child.on("error", (error) => end(error.message))
    child.on("close", (code, signal) => end(signal ?? `exit code ${code}`))
    return {
      next: lines.take.pipe(
        Effect.catchTag("NoSuchElementException", () => new ProcessEnded({ detail: "the process ended" }))
      ),
      send: (message) => Effect.sync(() => void child.stdin.write(`${JSON.stringify(message)}\n`)),
      signal: (signal) => Effect.sync(() => void child.kill(signal)),
      isRunning: () => !ended,
      complaints: () => complaints.trim()
    }
  })
