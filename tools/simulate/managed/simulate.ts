/** One seed: managed sessions, their servers, the faults between them, and the programs that use them. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as EffectRandom from "effect/Random"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as metrics from "../../../src/internal/managed/metrics.js"
import type { Outcome, Simulation } from "../outcome.js"
import { describe } from "../outcome.js"
import { Random } from "../random.js"
import { Engine } from "../sessions/engine.js"
import { Run } from "../sessions/run.js"
import { Trace } from "../trace.js"
import type { Call } from "./call.js"
import { Client } from "./client.js"
import { calm, strikeAll } from "./faults.js"
import type { Life } from "./life.js"
import { begin, end, serveAndPush } from "./life.js"
import { Network, STUCK } from "./network.js"
import type { World } from "./profile.js"
import { randomWorld } from "./profile.js"
import { rest } from "./rest.js"
import type { Observer } from "./seams.js"
import { observing } from "./seams.js"

/** Everything must be over after so many milliseconds. */
const LIMIT = 20_000_000

/** How long the callers may take when the faults have stopped, in milliseconds. */
const CALLERS = 1_200_000

export const simulate: Simulation = (seed, tally, print) => {
  const random = new Random(seed, 9)
  const trace = new Trace(print)
  const order = {
    disorder: random.pick([0, 0, 0.1, 0.5]),
    yieldsAfter: random.pick([Infinity, 300, 40, 20]),
    pauses: random.pick([0, 0, 0.05, 0.5])
  }
  trace.say(() => JSON.stringify(order))
  const engine = new Engine(order, new Random(seed, 10), trace)
  const run = new Run(random, engine, trace, tally)
  const world = randomWorld(random)
  trace.say(() => JSON.stringify(world))
  const roster = new Roster()
  const all = live(run, world, roster).pipe(
    Effect.withRandom(EffectRandom.make(seed)),
    Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none))
  )
  const outcome = (failure: string | undefined): Outcome => ({ hash: trace.hash, steps: run.operations, failure })
  return observing(roster.observer(world), () => {
    try {
      const exit = engine.run(all, LIMIT)
      return outcome(run.failure ?? (Exit.isFailure(exit) ? Cause.pretty(exit.cause) : undefined))
    } catch (error) {
      return outcome(run.failure ?? describe(error))
    }
  })
}

/** Managed sessions are made one after the other, and do something before `make` has returned them. */
class Roster {
  making: Client | undefined = undefined
  private readonly known = new Map<object, Client>()

  made(source: object, client: Client): void {
    this.known.set(source, client)
    this.making = undefined
  }

  observer({ lastIds }: World): Observer {
    return {
      lastIds,
      event: (source, event) => this.clientOf(source)?.see(event),
      status: (source, before, after) => this.clientOf(source)?.move(before, after)
    }
  }

  private clientOf(source: object): Client | undefined {
    return this.known.get(source) ?? this.making
  }
}

const live = (run: Run, world: World, roster: Roster): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { random } = run
    const waiting = yield* Metric.value(metrics.waiting)
    const scope = yield* Scope.make()
    const calls = new Map<number, Call>()
    const network = new Network(run, world, scope, serveAndPush(run, world, calls))
    // an attempt of the first moment can fail, too
    if (!world.graceful && random.chance(0.3)) network.weather = [random.pick(["refuse", "goAway", "silent", "serve"])]
    const lives = yield* Effect.forEach(world.clients, (profile, number) =>
      Effect.suspend(() => {
        const client = new Client(run, number, profile, world)
        roster.making = client
        return begin(client, world, network, calls, (session) => roster.made(session.status, client))
      })
    )
    const early = yield* Effect.forEach(lives, (life) => Effect.fork(endEarly(life, network)))
    yield* strikeAll({ run, world, network, clients: lives })
    yield* Effect.sleep(Math.max(0, world.calmAt - run.engine.now))
    run.tell("the faults stop")
    yield* calm({ network, world })
    yield* Fiber.joinAll(early)
    yield* Effect.forEach(lives, (life) => restAndEnd(life, network), { concurrency: "unbounded", discard: true })
    // a `connect` that cannot be interrupted is left behind for so long
    yield* Effect.sleep(STUCK)
    yield* Scope.close(scope, Exit.void)
    for (const { client, isDestroyed, isReleased, isUsed, number } of network.connections) {
      client.insist(isReleased && (isDestroyed || !isUsed), `the transport of connection ${number} is not destroyed`)
    }
    for (const call of calls.values()) {
      run.insist(!call.isDenied || call.executed === 0, `call ${call.id} was executed although that was denied`)
    }
    const left = (yield* Metric.value(metrics.waiting)).value - waiting.value
    run.insist(left === 0, `${left} calls still wait, by the metric`)
  })

const endEarly = (life: Life, network: Network): Effect.Effect<void> => {
  const { endingAt } = life.client.profile
  return endingAt === undefined ? Effect.void : Effect.zipRight(Effect.sleep(endingAt), end(life, network))
}

const restAndEnd = (life: Life, network: Network): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { callers, client } = life
    if (client.isEnding) return
    yield* Effect.iterate(0, {
      while: (waited) => waited < CALLERS && callers.some((fiber) => fiber.unsafePoll() === null),
      body: (waited) => Effect.as(Effect.sleep(500), waited + 500)
    })
    client.insist(
      callers.every((fiber) => fiber.unsafePoll() !== null),
      `callers are not done ${CALLERS} ms after the faults`
    )
    yield* rest(life, network)
    yield* end(life, network)
  })
