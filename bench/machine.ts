/** The machine of the figures, and its other load meanwhile. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { cpus, loadavg, release, totalmem } from "node:os"
import { canPin } from "./process.js"

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGB: number
  readonly system: string
  readonly node: string
  readonly go: string
  readonly pinned: boolean
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 1e9),
  system: `${process.platform} ${release()}`,
  node: process.version,
  go: goVersion(),
  pinned: canPin
})

const goVersion = (): string => {
  try {
    return execFileSync("go", ["env", "GOVERSION"], { encoding: "utf8" }).trim()
  } catch {
    return "none"
  }
}

export interface Disturbance {
  /** Shares of all the time of all cores since `watch`. */
  readonly busy: number
  /** What the host gave to others. */
  readonly steal: number
  /** The load averages at the beginning and at the end, of a minute each. */
  readonly loadBefore: number
  readonly loadAfter: number
}

/** Begins to watch; the result tells what it has been since. */
export const watch = (): (() => Disturbance) => {
  const [before, loadBefore] = [ticks(), loadavg()[0] ?? NaN]
  return () => {
    const now = ticks()
    const total = now.total - before.total
    return {
      busy: (now.busy - before.busy) / total,
      steal: (now.steal - before.steal) / total,
      loadBefore,
      loadAfter: loadavg()[0] ?? NaN
    }
  }
}

/** The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. */
const ticks = (): { readonly total: number; readonly busy: number; readonly steal: number } => {
  try {
    const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n", 1)
    const fields = line.trim().split(/\s+/).slice(1, 9).map(Number)
    const total = fields.reduce((sum, field) => sum + field, 0)
    return { total, busy: total - (fields[3] ?? 0) - (fields[4] ?? 0), steal: fields[7] ?? 0 }
  } catch {
    return { total: NaN, busy: NaN, steal: NaN }
  }
}
