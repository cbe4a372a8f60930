/** The inputs that are kept, and those that failed, as files. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import type { Case } from "./case.js"
import { parse, print } from "./case.js"
import type { Reached } from "./coverage.js"
import { Coverage } from "./coverage.js"
import type { Failure } from "./fuzzer.js"
import { faultOf, printFailure } from "./fuzzer.js"
import { anyCase } from "./generate.js"
import { Random } from "./random.js"
import { shrink } from "./shrink.js"

const CORPUS = new URL("./corpus/", import.meta.url)
/** Runs that may be spent on making one input of the corpus shorter. */
const SHRINK_TRIES = 100

const FAILURES = new URL("./failures/", import.meta.url)

export const loadCorpus = (): ReadonlyArray<{ readonly name: string; readonly input: Case }> =>
  readdirSync(CORPUS)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => ({ name, input: parse(readFileSync(new URL(name, CORPUS), "utf8")) }))

/** Replaces the corpus by the inputs that add coverage of the core, the shortest first, each made as short as it can be. */
export const saveCorpus = (inputs: ReadonlyArray<Case>): { readonly count: number; readonly part: number } => {
  const coverage = Coverage.begin()
  const all = coverage.none()
  const texts: Array<string> = []
  const reach = (input: Case): Reached => coverage.during(() => void faultOf(input, undefined, false))
  reach(anyCase(new Random(1)))
  for (const input of [...inputs].sort((a, b) => print(a).length - print(b).length)) {
    const added = coverage.minus(reach(input), all)
    if (added.size === 0) continue
    const smaller = shrink(input, (candidate) => coverage.minus(added, reach(candidate)).size === 0, SHRINK_TRIES)
    const { functions, reached } = { reached: reach(smaller), functions: coverage.functions(added) }
    coverage.add(all, reached)
    texts.push(print(smaller, [`adds to what the inputs before it reach: ${functions.slice(0, 6).join(", ")}`]))
  }
  mkdirSync(CORPUS, { recursive: true })
  for (const { name } of loadCorpus()) rmSync(new URL(name, CORPUS))
  texts.forEach((text, index) => writeFileSync(new URL(`${String(index + 1).padStart(3, "0")}.txt`, CORPUS), text))
  const part = coverage.part(all)
  coverage.end()
  return { count: texts.length, part }
}

export const loadFile = (path: string): Case => parse(readFileSync(path, "utf8"))

export const saveFailure = (failure: Failure): string => {
  const text = printFailure(failure)
  const name = `${hash(text)}.txt`
  mkdirSync(FAILURES, { recursive: true })
  writeFileSync(new URL(name, FAILURES), text)
  return `tools/fuzz/failures/${name}`
}

const hash = (text: string): string => {
  let h = 0
  for (let i = 0; i < text.length; i++) h = Math.imul(h, 31) + text.charCodeAt(i)
  return (h >>> 0).toString(16).padStart(8, "0")
}
