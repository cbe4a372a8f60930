/** The result of a run of one seed. */
import type { Tally } from "./tally.js"

/** A promise that was broken. */
export class Broken extends Error {
  override readonly name = "Broken"
}

export interface Outcome {
  /** Equal for equal runs. */
  readonly hash: string
  /** Operations, deliveries and whatever else was a step. */
  readonly steps: number
  readonly failure: string | undefined
}

/** Runs one seed; adds to `tally` under the headings `operation`, `fault` and `outcome`. */
export type Simulation = (seed: number, tally: Tally, print?: (line: string) => void) => Outcome

/** What went wrong, in one line and the places it came from. */
export const describe = (error: unknown): string => {
  if (error instanceof Broken) return error.message
  if (error instanceof Error)
    return `${error.name}: ${error.message}\n${(error.stack ?? "").split("\n").slice(1, 7).join("\n")}`
  return String(error)
}
