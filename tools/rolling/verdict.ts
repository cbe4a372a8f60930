/** Decides whether a rolling restart kept its promises. */
import type { Call } from "./load.js"
import type { Found } from "./replacing.js"

export interface Verdict {
  readonly calls: number
  readonly failed: number
  /** Of these, the calls that the server may have processed. */
  readonly maybe: number
  readonly executedTwice: number
  readonly wrong: number
  /** Attempts that failed before the server did something, and after which the call was made again. */
  readonly repeated: number
  /** The longest time that a call took beside the work of the server, in milliseconds. */
  readonly longestDelay: number
  /** One line for each violation. */
  readonly faults: ReadonlyArray<string>
}

/** Of each kind of violation, this number is named. */
const NAMED = 3

export const judge = (found: Found): Verdict => {
  const { calls, executions, plan } = found
  const executed = new Map<number, Set<number>>()
  const twice = new Set<number>()
  for (const { attempt, id } of executions) {
    if (executed.has(id)) twice.add(id)
    executed.set(id, (executed.get(id) ?? new Set()).add(attempt))
  }
  const failed = calls.filter(({ outcome }) => outcome._tag === "Failed")
  const isMaybe = ({ outcome }: Call): boolean => outcome._tag === "Failed" && outcome.processed === "maybe"
  const maybe = failed.filter(isMaybe)
  const wrong = calls.filter(({ outcome }) => outcome._tag === "Answered" && !outcome.isRight)
  const faults = [
    ...named("failed", plan.ending === "Drain" ? failed : failed.filter((call) => !isMaybe(call)), whyFailed),
    ...named(
      "had no outcome",
      calls.filter(({ outcome }) => outcome._tag === "Hung"),
      callOf
    ),
    ...named("had a wrong reply", wrong, callOf),
    ...named("were executed more than once", [...twice], (id) => `call ${id}`),
    ...named(
      "were answered and not executed",
      calls.filter(({ id, outcome }) => outcome._tag === "Answered" && !executed.has(id)),
      callOf
    ),
    ...named(
      'failed with processed "no" and were executed',
      calls.flatMap(({ failures, id }) =>
        failures
          .filter(({ attempt, processed }) => processed === "no" && executed.get(id)?.has(attempt) === true)
          .map(({ attempt, error }) => `attempt ${attempt} of call ${id} (${error})`)
      ),
      (attempt) => attempt
    ),
    ...found.servers
  ]
  return {
    calls: calls.length,
    failed: failed.length,
    maybe: maybe.length,
    executedTwice: twice.size,
    wrong: wrong.length,
    repeated: calls.reduce(
      (sum, { failures, outcome }) => sum + failures.length - (outcome._tag === "Failed" ? 1 : 0),
      0
    ),
    longestDelay: Math.max(0, ...calls.map(({ delay }) => delay)),
    faults
  }
}

/** How late a timer may be on a busy machine, in milliseconds. */
const LATE = 1_000

/** The sessions that waited longer than their schedule allows. Only the command checks this: tests assert no time. */
export const late = ({ back }: Found): ReadonlyArray<string> =>
  named(
    "sessions tried to connect too late",
    back.filter(({ allowed, delay }) => delay > allowed + LATE),
    ({ allowed, delay }) => `after ${delay} ms, with a delay of at most ${allowed} ms`
  )

const named = <A>(what: string, some: ReadonlyArray<A>, name: (one: A) => string): ReadonlyArray<string> => {
  if (some.length === 0) return []
  const more = some.length > NAMED ? `, and ${some.length - NAMED} more` : ""
  return [`${some.length} ${what}: ${some.slice(0, NAMED).map(name).join("; ")}${more}`]
}

const callOf = ({ id }: Call): string => `call ${id}`

const whyFailed = ({ id, outcome }: Call): string =>
  outcome._tag === "Failed" ? `call ${id} (processed ${outcome.processed ?? "?"}, ${outcome.error})` : `call ${id}`
