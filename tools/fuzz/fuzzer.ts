/** The fuzzer's loop: makes new inputs from those that found something, until its time is over. */
import { Broken } from "./broken.js"
import type { Case } from "./case.js"
import { print } from "./case.js"
import { Features } from "./features.js"
import { anyCase } from "./generate.js"
import { mutate, raw } from "./mutate.js"
import { Random } from "./random.js"
import type { Watcher } from "./run.js"
import { run, runTwice } from "./run.js"
import { shrink } from "./shrink.js"

export type Mode = "structured" | "raw" | "both"

export interface Failure {
  readonly input: Case
  readonly message: string
}

/** Of so many inputs, one is run a second time to see that it does the same. */
const AGAIN = 16

/** The message of a rule that is broken, without the numbers, tells one fault from another. */
const kindOf = (message: string): string => message.replaceAll(/\d+/g, "#").slice(0, 60)

/** What a run breaks; `undefined` when it keeps every rule. */
export const faultOf = (input: Case, watcher?: Watcher, again = true): string | undefined => {
  try {
    const { log } = runTwice(input, watcher)
    if (!again) return undefined
    const at = run(input).log.findIndex((line, index) => line !== log[index])
    return at < 0 ? undefined : `run again, it is another session: line ${at}`
  } catch (error) {
    if (error instanceof Broken) return error.message
    return `it throws: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
  }
}

export class Fuzzer {
  executions = 0
  readonly features = new Features()
  readonly corpus: Array<Case> = []
  /** How many executions there had been when the last input was kept. */
  lastKept = 0
  private readonly random: Random
  private readonly failed = new Set<string>()

  constructor(
    seed: number,
    private readonly mode: Mode
  ) {
    this.random = new Random(seed)
  }

  /** Takes an input into the corpus if it does something new. */
  seed(input: Case): Failure | undefined {
    return this.execute(input)
  }

  /** One more input; the smallest that fails like it, if it does and none did before. */
  next(): Failure | undefined {
    return this.execute(this.candidate())
  }

  private candidate(): Case {
    const { corpus, mode, random } = this
    // recent finds are worth more than old ones
    const newest = corpus.length > 50 && random.oneIn(2) ? corpus.slice(-50) : corpus
    const [one, two] = [random.one(newest), random.one(newest)]
    // short inputs run more often in the same time
    const input = one !== undefined && two !== undefined && two.steps.length < one.steps.length ? two : one
    const other = random.one(corpus)
    if (input === undefined || other === undefined || random.oneIn(8)) return anyCase(random)
    const isRaw = mode === "both" ? random.oneIn(4) : mode === "raw"
    return isRaw ? raw(random, input, other) : mutate(random, input, other)
  }

  private execute(input: Case): Failure | undefined {
    const { found, listener } = this.features.watch()
    const fault = faultOf(input, { listener }, ++this.executions % AGAIN === 0)
    if (fault !== undefined) return this.fail(input, fault)
    if (this.features.add(found())) {
      this.corpus.push(input)
      this.lastKept = this.executions
    }
    return undefined
  }

  private fail(input: Case, message: string): Failure | undefined {
    const kind = kindOf(message)
    if (this.failed.has(kind)) return undefined
    this.failed.add(kind)
    const smaller = shrink(input, (candidate) => {
      const fault = faultOf(candidate)
      return fault !== undefined && kindOf(fault) === kind
    })
    return { input: smaller, message: faultOf(smaller) ?? message }
  }
}

export const printFailure = ({ input, message }: Failure): string => print(input, message.split("\n"))
