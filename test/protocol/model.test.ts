import { describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { World } from "../support/protocol/world.js"
import { checkAll, finishAll } from "../support/protocol/worldChecks.js"

/** What happens: on which side, to which of its latest streams, and how much. */
interface Operation {
  readonly what:
    | "open"
    | "accept"
    | "write"
    | "withdraw"
    | "finish"
    | "read"
    | "stopReading"
    | "close"
    | "reset"
    | "ping"
    | "tick"
    | "send"
    | "deliver"
    | "drain"
    | "goAway"
    | "closeSession"
  readonly client: boolean
  readonly which: number
  readonly amount: number
}

const WEIGHTS: { readonly [W in Operation["what"]]: number } = {
  open: 10,
  accept: 6,
  write: 16,
  withdraw: 3,
  finish: 5,
  read: 14,
  stopReading: 2,
  close: 2,
  reset: 3,
  ping: 3,
  tick: 6,
  send: 16,
  deliver: 20,
  drain: 0.4,
  goAway: 0.4,
  closeSession: 0.3
}

const operation = fc.record<Operation>({
  what: fc.oneof(
    ...Object.entries(WEIGHTS).map(([what, weight]) => ({
      weight: Math.round(weight * 10),
      arbitrary: fc.constant(what as Operation["what"])
    }))
  ),
  client: fc.boolean(),
  which: fc.nat(7),
  amount: fc.oneof(fc.nat(8), fc.nat(300), fc.nat(20_000))
})

const options = fc.record({
  typed: fc.boolean(),
  window: fc.constantFrom(16, 100, 1000, 5000, 262_144),
  maxSendBuffer: fc.constantFrom(1024, 5000, 1_048_576),
  acceptBacklog: fc.constantFrom(1, 3, 128),
  maxInboundStreams: fc.constantFrom(2, 1024),
  maxOutboundStreams: fc.constantFrom(2, 1024),
  typeTimeout: fc.constant(10_000)
})

/** Any code but those with which a peer says that it did nothing, nor those that would mean a fault of ours. */
const codeOf = (amount: number): number => (amount % 2 === 0 ? 0xffffffff - amount : 16 + amount)

const perform = (world: World, { amount, client, what, which }: Operation): void => {
  const end = client ? world.pair.client : world.pair.server
  const { sides } = world.mind(end)
  const side = sides[sides.length - 1 - which]
  switch (what) {
    case "open":
      return world.open(end)
    case "accept":
      return world.accept(end)
    case "ping":
      return world.ping(end)
    case "tick":
      return world.tick(amount % 20)
    case "send":
      return world.send(end, amount)
    case "deliver":
      return end.deliver(amount)
    case "drain":
      return world.drain(end)
    case "goAway":
      return end.connection.goAway(0, "")
    case "closeSession":
      return world.close(end)
    case "write":
      return side && world.write(side, amount)
    case "withdraw":
      return side && world.withdraw(side, amount)
    case "finish":
      return side && world.finish(side)
    case "read":
      return void (side && world.read(side))
    case "stopReading":
      return side && world.stopReading(side)
    case "reset":
      return side && world.reset(side, codeOf(amount))
    case "close":
      if (side === undefined) return
      world.finish(side)
      return world.stopReading(side)
  }
}

describe("two cores over a link", () => {
  it("keep every invariant after every random step, and end with nothing left", () => {
    fc.assert(
      fc.property(options, fc.array(operation, { maxLength: 120, size: "max" }), (chosen, operations) => {
        const world = new World(chosen)
        for (const one of operations) {
          perform(world, one)
          world.hear()
          checkAll(world)
        }
        finishAll(world)
      }),
      { numRuns: Number(process.env["MODEL_RUNS"] ?? 300), endOnFailure: false }
    )
  })
})
