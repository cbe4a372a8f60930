/** One seed: two cores, their applications and the link between them, until nothing is left to do. */
import type { Outcome, Simulation } from "../outcome.js"
import { describe } from "../outcome.js"
import { Random } from "../random.js"
import { Trace } from "../trace.js"
import {
  abort,
  accept,
  close,
  closeSession,
  demand,
  drain,
  finish,
  goAway,
  open,
  ping,
  read,
  refuse,
  reset,
  resetAll,
  stopReading,
  withdraw,
  write
} from "./application.js"
import { checkAll } from "./checks.js"
import { hear } from "./events.js"
import { deliver, closeTransport, nextMoment, send, waitUntil } from "./motion.js"
import type { Operation } from "./profile.js"
import { OPERATIONS, pickOperation, randomProfile } from "./profile.js"
import { comeToRest } from "./rest.js"
import type { End, Side } from "./world.js"
import { World } from "./world.js"

/** Codes that say something else than their number: fault, refusal, cancellation, and the last one there is. */
const CODES = [0, 1, 4, 5, 6, 9, 16, 77, 0xffff_ffff] as const

export const simulate: Simulation = (seed, tally, print) => {
  const random = new Random(seed)
  const trace = new Trace(print)
  const profile = randomProfile(random)
  const world = new World(profile, random, trace, tally)
  trace.say(() => JSON.stringify(profile))
  const outcome = (failure: string | undefined): Outcome => ({ hash: trace.hash, steps: world.steps, failure })
  try {
    for (let i = 0; i < profile.steps; i++) {
      step(world)
      checkAll(world)
    }
    trace.say(() => "now everything comes to rest")
    comeToRest(world)
    for (const { inbound } of world.ends) if (inbound.struck || inbound.isLost) tally.add(`fault: ${inbound.faultTag}`)
    return outcome(undefined)
  } catch (error) {
    return outcome(`${describe(error)} [step ${world.steps}, ${world.now} ms]`)
  }
}

const step = (world: World): void => {
  const { profile, random, tally, trace } = world
  const end = random.pick(world.ends)
  const operation = pickOperation(random, profile.weights)
  const index = OPERATIONS.indexOf(operation)
  const side = random.one(random.chance(0.9) ? end.live : end.all)
  world.steps++
  tally.add(COUNTED[index] ?? operation)
  trace.note(index, end === world.client ? 0 : 1, side?.core.id ?? 0, world.now)
  trace.say(() => `${world.steps} ${world.now} ms ${end.role} ${operation} ${side?.core.id ?? "-"}`)
  perform(world, end, operation)
  if (side !== undefined) performOn(world, side, operation)
  closeTransport(world, end)
  hear(world)
}

const COUNTED = OPERATIONS.map((operation) => `operation: ${operation}`)

/** What is done to a session. */
const perform = (world: World, end: End, operation: Operation): void => {
  const { profile, random } = world
  switch (operation) {
    case "open":
      return open(world, end)
    case "accept":
      return accept(world, end)
    case "refuse":
      return refuse(end)
    case "demand":
      return demand(world, end)
    case "ping":
      return ping(world, end)
    case "drain":
      return drain(end)
    case "goAway":
      return goAway(end, random.pick([0, 0, 2, 10]))
    case "closeSession":
      return closeSession(end)
    case "abort":
      return abort(end)
    case "resetAll":
      return resetAll(end, random.pick(CODES))
    case "send":
      return void send(world, end, random.pick([1, 100, 16_384, 131_072]))
    case "deliver":
      return void deliver(world, end, Math.max(1, random.size(profile.chunk)))
    case "wait": {
      const next = nextMoment(world)
      const until = random.chance(0.7) ? next : world.now + random.below(20)
      return waitUntil(world, Math.min(until, Math.max(next, world.now), world.now + 60_000))
    }
    case "late":
      return waitUntil(world, world.now + random.size(5000))
    default:
      return
  }
}

/** What is done to a stream. */
const performOn = (world: World, side: Side, operation: Operation): void => {
  const { profile, random } = world
  if (!side.accepted) return
  switch (operation) {
    case "write":
      write(world, side, random.size(profile.longestWrite))
      // now and then many small ones, which the queues gather
      for (let more = random.chance(0.05) ? 40 : 0; more > 0; more--) write(world, side, random.between(1, 1500))
      return
    case "withdraw":
      return withdraw(world, side, random.size(profile.longestWrite))
    case "finish":
      return finish(side)
    case "read":
      return void read(world, side)
    case "stopReading":
      return stopReading(side)
    case "close":
      return close(side)
    case "reset":
      return reset(side, random.pick(CODES))
    default:
      return
  }
}
