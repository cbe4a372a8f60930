/** The results of `npm run rolling`, for people. */
import type { Found } from "./replacing.js"
import { inWords } from "./replacing.js"
import { draw, expectedShares, histogram, mostInOneSlot } from "./spread.js"
import type { Stampede } from "./stampede.js"
import type { Verdict } from "./verdict.js"

/** One row of the table: a scenario, and what is wrong with it. */
export interface Result {
  readonly found: Found
  readonly verdict: Verdict
  readonly faults: ReadonlyArray<string>
}

const COLUMNS = [
  "scenario",
  "calls",
  "failed",
  "of these maybe",
  "twice",
  "wrong",
  "repeated",
  "longest delay",
  "back after",
  "failed connects",
  "verdict"
]

export const table = (results: ReadonlyArray<Result>): string => {
  const rows = [COLUMNS, ...results.map(cells)]
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>): string =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd()
  return [...rows.map(line), "", WORDS].join("\n")
}

const WORDS = `twice: calls that were executed more than once. wrong: calls with a wrong reply. repeated: attempts after
which a managed session made the call again. longest delay: of a call, without the work of the server. back after:
after kill -9, from the moment when the next server listens to the reply of the next call, the slowest session.`

const cells = ({ faults, found, verdict }: Result): ReadonlyArray<string> => {
  const { back, failedConnects, plan } = found
  return [
    inWords(plan),
    ...[verdict.calls, verdict.failed, verdict.maybe, verdict.executedTwice, verdict.wrong, verdict.repeated].map(
      String
    ),
    `${Math.round(verdict.longestDelay)} ms`,
    back.length === 0 ? "-" : `${Math.max(...back.map(({ took }) => took))} ms`,
    String(failedConnects),
    faults.length === 0 ? "ok" : "FAILED"
  ]
}

export const describeStampede = (stampede: Stampede): string => {
  const { attempts, clients, cpu, first, firstCpu, outage, ready } = stampede
  const slots = histogram(first)
  const most = Math.max(0, ...slots)
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  const seconds = (millis: number): string => `${(millis / 1000).toFixed(2)} s`
  return [
    `The first attempts of ${clients} clients after an outage of ${seconds(outage)}, in slots of 100 ms:`,
    "",
    ...draw(slots),
    "",
    `most in one slot: ${most} (${percent(most / clients)}); with full jitter, in simulated time, at most ` +
      `${mostInOneSlot(clients, outage)} (${percent(Math.max(...expectedShares(outage)))}, and 5 standard deviations)`,
    `attempts after the outage: ${attempts.length}; connected in the end: ${ready.length}, the last one after ` +
      seconds(Math.max(0, ...ready)),
    `CPU time of the server: ${seconds(cpu.start)} to start, ${seconds(cpu.end - cpu.start)} for the clients ` +
      `(${seconds(firstCpu)} when all connected at once to the first server)`
  ].join("\n")
}
