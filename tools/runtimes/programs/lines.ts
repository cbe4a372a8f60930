/** The standard input as lines, and the standard output. */
import { createInterface } from "node:readline"

/** Calls `onLine` for every line of the input; the process ends with its input, so that it outlives no script. */
export const listen = (onLine: (line: string) => void): void => {
  const lines = createInterface({ input: process.stdin })
  lines.on("line", onLine)
  lines.on("close", () => process.exit(0))
}

export const say = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`)
