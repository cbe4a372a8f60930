/** The output of the echo program. Its standard output is an interface: one line for each event. */
import * as Effect from "effect/Effect"

/** One line on standard output. */
export const print = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

/** One line of JSON on standard output. */
export const printEvent = (event: string, fields: object): Effect.Effect<void> =>
  Effect.suspend(() => print(JSON.stringify({ event, ...fields })))

/** Text for people, on standard error. */
export const complain = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stderr.write(text))

/** A tagged error as JSON: its tag, its numbers, texts and booleans, and the message. */
export const errorFields = (error: Error & { readonly _tag: string }): Record<string, unknown> => {
  const fields = Object.entries(error).filter(([name, value]) => name !== "_tag" && PLAIN.has(typeof value))
  const cause = error.cause
  const errno = cause instanceof Error && "code" in cause ? cause.code : undefined
  return { tag: error._tag, ...Object.fromEntries(fields), errno, message: messageOf(error) }
}

const PLAIN: ReadonlySet<string> = new Set(["boolean", "number", "string"])

const messageOf = (error: Error): string => {
  const cause = error.cause instanceof Error ? error.cause.message : ""
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}

/** If the reader of the output has closed it, errors of writing are ignored and the program continues. */
export const outliveReaders: Effect.Effect<void> = Effect.sync(() => {
  for (const output of [process.stdout, process.stderr]) output.on("error", () => {})
})
