/** The shared state of one run: its choices, its counts, and its failures. */
import { Broken } from "../outcome.js"
import type { Random } from "../random.js"
import type { Tally } from "../tally.js"
import type { Trace } from "../trace.js"
import type { Engine } from "./engine.js"

/** A call begins, or is about to end; bytes arrive. */
type Moment = "begins" | "ends" | "arrives"

export class Run {
  failure: string | undefined
  /** A byte was changed on the way: nothing is promised any more but to end in time, with an error that has a type. */
  tainted = false
  operations = 0
  private readonly listeners = {
    begins: new Set<() => void>(),
    ends: new Set<() => void>(),
    arrives: new Set<() => void>()
  }
  private sequences = 0
  private lost = 0

  constructor(
    readonly random: Random,
    readonly engine: Engine,
    readonly trace: Trace,
    private readonly tally: Tally
  ) {}

  sequence(): number {
    return this.sequences++
  }

  /** Does something in the step in which it happens next, to whoever; gives what calls that off. */
  whenNext(what: Moment, act: () => void): () => void {
    const listeners = this.listeners[what]
    listeners.add(act)
    return () => {
      listeners.delete(act)
    }
  }

  now(what: Moment): void {
    const listeners = [...this.listeners[what]]
    this.listeners[what].clear()
    for (const act of listeners) act()
  }

  count(operation: string): void {
    this.operations++
    this.tally.add(`operation: ${operation}`)
  }

  /** A stream was accepted by somebody who had just been interrupted. */
  losesAccepted(): void {
    this.lost++
  }

  /** Whether a call that was reset may be one of those. */
  wasLost(): boolean {
    return this.lost > 0 && this.lost-- > 0
  }

  fault(name: string): void {
    this.tally.add(`fault: ${name}`)
    this.tell(`fault: ${name}`)
  }

  outcome(name: string): void {
    this.tally.add(`outcome: ${name}`)
  }

  tell(line: string): void {
    this.trace.tell(`${this.engine.now} ms  ${line}`)
  }

  /** A promise, while the link keeps its own. */
  require(holds: boolean, promise: string): void {
    if (!holds && !this.tainted) this.insist(false, promise)
  }

  /** A promise that holds whatever happens. Remembered, since nobody may listen to the fiber that finds it broken. */
  insist(holds: boolean, promise: string): void {
    if (holds) return
    this.failure ??= `${promise}, at ${this.engine.now} ms`
    throw new Broken(promise)
  }
}
