/** Fuzzes the protocol's core: see `npm run fuzz -- --help`. */
import { parseArgs } from "node:util"
import { loadCorpus, loadFile, saveCorpus, saveFailure } from "./corpus.js"
import type { Failure, Mode } from "./fuzzer.js"
import { faultOf, Fuzzer } from "./fuzzer.js"
import { run } from "./run.js"

const USAGE = `fuzz [--minutes N] [--seed S] [--structured | --raw] [--keep]
fuzz --replay FILE

Feeds a session's core with inputs that it makes up, and looks for what must never be. An input that fails is made
small, and written to tools/fuzz/failures/. With --keep, what adds coverage goes to tools/fuzz/corpus/. Without --minutes it runs for one; --replay runs one input, and prints
what happens.
`

const WRONG_USAGE = 2

/** Inputs between two looks at the clock. */
const ROUND = 200

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const replay = (path: string): number => {
  const input = loadFile(path)
  const fault = faultOf(input)
  run(input, { listener: (line, detail) => print(`${line} ${detail}`) })
  print(fault ?? "every rule is kept")
  return fault === undefined ? 0 : 1
}

const fuzz = (minutes: number, seed: number, mode: Mode, keep: boolean): number => {
  const fuzzer = new Fuzzer(seed, mode)
  let failures = 0
  const tell = (failure: Failure | undefined): void => {
    if (failure === undefined) return
    failures++
    const path = saveFailure(failure)
    print(`\nFAILURE after ${fuzzer.executions} inputs: ${failure.message}`)
    print(`  npm run fuzz -- --replay ${path}\n`)
  }
  for (const { input } of loadCorpus()) tell(fuzzer.seed(input))
  const began = performance.now()
  const end = began + minutes * 60_000
  let told = began
  const progress = (now: number): void => {
    const perSecond = Math.round((1000 * fuzzer.executions) / (now - began))
    print(
      `${Math.round((now - began) / 1000)} s: ${fuzzer.executions} inputs, ${perSecond}/s, ` +
        `${fuzzer.corpus.length} kept (the last after ${fuzzer.lastKept}), ${fuzzer.features.size} features, ` +
        `${failures} failures`
    )
  }
  for (let now = began; now < end; now = performance.now()) {
    for (let i = 0; i < ROUND; i++) tell(fuzzer.next())
    if (now - told > 10_000) {
      told = now
      progress(now)
    }
  }
  progress(performance.now())
  if (keep) {
    const { count, part } = saveCorpus(fuzzer.corpus)
    print(`${count} inputs are the corpus now; they reach ${(100 * part).toFixed(1)} % of the core's code`)
  }
  return failures === 0 ? 0 : 1
}

const main = (): number => {
  const { values } = parseArgs({
    options: {
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      minutes: { type: "string", default: "1" },
      raw: { type: "boolean", default: false },
      replay: { type: "string" },
      seed: { type: "string", default: "1" },
      structured: { type: "boolean", default: false }
    }
  })
  if (values.help) {
    print(USAGE.trimEnd())
    return 0
  }
  if (values.replay !== undefined) return replay(values.replay)
  const minutes = Number(values.minutes)
  const seed = Number(values.seed)
  if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
    process.stderr.write(`fuzz: --minutes and --seed are numbers\n\n${USAGE}`)
    return WRONG_USAGE
  }
  return fuzz(minutes, seed, values.raw ? "raw" : values.structured ? "structured" : "both", values.keep)
}

process.exitCode = main()
