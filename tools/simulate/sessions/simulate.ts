/** One seed: sessions that come and go, and all their users. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as EffectRandom from "effect/Random"
import * as Logger from "effect/Logger"
import type { Outcome, Simulation } from "../outcome.js"
import { describe } from "../outcome.js"
import { Random } from "../random.js"
import { Trace } from "../trace.js"
import type { Call } from "./call.js"
import { Engine } from "./engine.js"
import { generation } from "./generation.js"
import { randomGeneration } from "./profile.js"
import { Run } from "./run.js"

/** Everything must be over after so many milliseconds. */
const LIMIT = 20_000_000

export const simulate: Simulation = (seed, tally, print) => {
  const random = new Random(seed, 7)
  const trace = new Trace(print)
  const order = {
    disorder: random.pick([0, 0, 0.1, 0.5]),
    yieldsAfter: random.pick([Infinity, 300, 40, 20]),
    pauses: random.pick([0, 0, 0.05, 0.5])
  }
  trace.say(() => JSON.stringify(order))
  const engine = new Engine(order, new Random(seed, 8), trace)
  const run = new Run(random, engine, trace, tally)
  const calls = new Map<number, Call>()
  const generations = Array.from({ length: random.pick([1, 1, 2, 3]) }, () => randomGeneration(random))
  const all = Effect.forEach(
    generations,
    (options, index) =>
      Effect.suspend(() => {
        if (index > 0) run.count("reconnect")
        run.trace.say(() => JSON.stringify(options))
        return generation(run, options, calls)
      }),
    { discard: true }
  ).pipe(Effect.withRandom(EffectRandom.make(seed)), Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)))
  const outcome = (failure: string | undefined): Outcome => ({ hash: trace.hash, steps: run.operations, failure })
  try {
    const exit = engine.run(all, LIMIT)
    if (exit._tag === "Failure") return outcome(run.failure ?? Cause.pretty(exit.cause))
    return outcome(run.failure)
  } catch (error) {
    return outcome(run.failure ?? describe(error))
  }
}
