/** Makes an input smaller while it still fails in the same way. */
import { concat } from "../../test/support/bytes.js"
import type { Case, Step } from "./case.js"
import { command, peer } from "./case.js"

/** Tries in all: each is a run. */
const PATIENCE = 3000

export const shrink = (input: Case, fails: (input: Case) => boolean, tries = PATIENCE): Case => {
  let best = input
  let left = tries
  const attempt = (candidate: Case): boolean => {
    if (left-- <= 0 || !fails(candidate)) return false
    best = candidate
    return true
  }
  for (let before: Case | undefined; before !== best && left > 0;) {
    before = best
    simplerSetting(best).forEach(attempt)
    for (let size = best.steps.length; size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at + size <= best.steps.length;) {
        if (!attempt(withSteps(best, without(best.steps, at, size)))) at += size
      }
    }
    for (let at = 0; at < best.steps.length; at++) shrinkStep(at, () => best, attempt)
  }
  return best
}

const withSteps = ({ setting }: Case, steps: ReadonlyArray<Step>): Case => ({ setting, steps })

const without = <T>(items: ReadonlyArray<T>, at: number, count: number): ReadonlyArray<T> => [
  ...items.slice(0, at),
  ...items.slice(at + count)
]

const simplerSetting = ({ setting, steps }: Case): ReadonlyArray<Case> =>
  [
    { ...setting, cut: setting.cut % 4 },
    { ...setting, app: "manual" as const },
    { ...setting, output: "auto" as const },
    { ...setting, typed: false },
    { ...setting, limits: "default" as const }
  ]
    .filter((simpler) => JSON.stringify(simpler) !== JSON.stringify(setting))
    .map((simpler) => ({ setting: simpler, steps }))

const shrinkStep = (at: number, best: () => Case, attempt: (candidate: Case) => boolean): void => {
  const replace = (step: Step): boolean =>
    attempt(
      withSteps(
        best(),
        best().steps.map((old, index) => (index === at ? step : old))
      )
    )
  for (let size = 64; size >= 1; size /= 2) {
    for (let from = 0; ;) {
      const step = best().steps[at]
      if (step?.name !== "peer" || from + size > step.bytes.length) break
      const shorter = peer(concat([step.bytes.subarray(0, from), step.bytes.subarray(from + size)]))
      if (!replace(shorter)) from += size
    }
  }
  const step = best().steps[at]
  if (step === undefined || step.name === "peer") return
  for (const a of [0, Math.floor(step.a / 2)]) if (a < step.a) replace(command(step.name, a, step.b))
  const now = best().steps[at]
  if (now === undefined || now.name === "peer") return
  for (const b of [0, Math.floor(now.b / 2)]) if (b < now.b) replace(command(now.name, now.a, b))
}
