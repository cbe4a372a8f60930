/** The choices of a seed before the first step: the options of both sides, the link, and the applications. */
import type { ConnectionOptions } from "../../../src/protocol/options.js"
import { connectionOptions } from "../../../test/support/protocol/options.js"
import type { Random } from "../random.js"
import type { Fault, LinkOptions } from "./link.js"

export const OPERATIONS = [
  "open",
  "accept",
  "demand",
  "write",
  "withdraw",
  "finish",
  "read",
  "stopReading",
  "close",
  "reset",
  "refuse",
  "ping",
  "drain",
  "goAway",
  "closeSession",
  "abort",
  "resetAll",
  "send",
  "deliver",
  "wait",
  "late"
] as const

export type Operation = (typeof OPERATIONS)[number]

/** How often each is done, compared with the others; a seed leaves some out, and does others much more. */
const WEIGHTS: { readonly [O in Operation]: number } = {
  open: 9,
  accept: 8,
  demand: 1,
  write: 16,
  withdraw: 3,
  finish: 4,
  read: 12,
  stopReading: 2,
  close: 2,
  reset: 2,
  refuse: 0.5,
  ping: 2,
  drain: 0.2,
  goAway: 0.2,
  closeSession: 0.15,
  abort: 0.05,
  resetAll: 0.1,
  send: 20,
  deliver: 20,
  wait: 8,
  late: 0.3
}

export interface Profile {
  readonly client: ConnectionOptions
  readonly server: ConnectionOptions
  readonly clientToServer: LinkOptions
  readonly serverToClient: LinkOptions
  /** The longest chunk that is delivered, in bytes. */
  readonly chunk: number
  /** The longest write, in bytes, and how many bytes are written in all. */
  readonly longestWrite: number
  readonly volume: number
  readonly steps: number
  /** Cumulative weights, in the order of `OPERATIONS`. */
  readonly weights: ReadonlyArray<number>
  /** How likely a reader reads at once when it is told that it can. */
  readonly eagerness: number
}

const WINDOWS = [16, 17, 100, 1000, 4096, 5000, 65_536, 262_144, 1_048_576] as const

export const randomProfile = (random: Random): Profile => {
  const typed = random.chance(0.6)
  const window = () => random.pick(WINDOWS)
  const same = random.chance(0.5)
  const clientWindow = window()
  const serverWindow = same ? clientWindow : window()
  const chunk = random.pick([1, 7, 100, 3000, 20_000, 1_000_000, 1_000_000, 1_000_000])
  const longestWrite = chunk === 1 ? 400 : chunk < 3000 ? 3000 : random.pick([10, 600, 5000, 70_000, 200_000])
  const small = Math.min(clientWindow, serverWindow)
  const fault = randomFault(random)
  const struck = random.chance(0.5)
  const link = (isStruck: boolean): LinkOptions => ({
    latency: random.pick([0, 0, 1, 5, 40, 200]),
    jitter: random.pick([0, 0, 3, 60]),
    capacity: random.pick([1, 300, 5000, 65_536, Infinity, Infinity]),
    fault: isStruck ? fault : { _tag: "None" }
  })
  return {
    client: randomOptions(random, "client", typed, clientWindow, serverWindow),
    server: randomOptions(random, "server", typed, serverWindow, clientWindow),
    clientToServer: link(struck),
    serverToClient: link(!struck),
    chunk,
    longestWrite: Math.min(longestWrite, small * 40),
    volume: chunk === 1 ? 3000 : small < 1000 ? 20_000 : 600_000,
    steps: random.pick([30, 80, 150, 300]),
    weights: randomWeights(random),
    eagerness: random.pick([0, 0.5, 1])
  }
}

const randomOptions = (
  random: Random,
  role: "client" | "server",
  typed: boolean,
  window: number,
  windowOfPeer: number
): ConnectionOptions => {
  const interval = random.pick([500, 2000, 10_000])
  const nearTheLastId = random.chance(0.03)
  return connectionOptions(role, {
    typed,
    window,
    // a peer may start from less than it is let, as Go does when it is configured so
    growthLimit: random.chance(0.5) ? 0 : random.size(1_000_000),
    peerWindow: random.chance(0.85) ? windowOfPeer : Math.max(16, Math.floor(windowOfPeer / random.between(2, 9))),
    maxSendBuffer: random.pick([1024, 1500, 5000, 65_536, 1_048_576]),
    acceptBacklog: random.pick([1, 2, 5, 128]),
    maxInboundStreams: random.pick([1, 3, 8, 1024]),
    maxOutboundStreams: random.pick([1, 3, 8, 1024]),
    typeTimeout: 10_000,
    announceDrain: random.chance(0.7),
    heartbeat: typed && random.chance(0.5) ? { interval, tolerance: random.pick([1, 1.5]) * interval } : undefined,
    writeTimeout: random.pick([2000, 30_000]),
    partialFrameTimeout: random.pick([2000, 30_000]),
    firstStreamId: nearTheLastId ? (role === "client" ? 0x7fff_fff7 : 0x7fff_fff6) : undefined
  })
}

const randomFault = (random: Random): Fault => {
  const at = random.pick([0, random.below(20), random.below(300), random.below(5000), random.below(100_000)])
  switch (random.below(12)) {
    case 0:
      return { _tag: "Lost", at }
    case 1:
    case 2:
      return { _tag: "Cut", at }
    case 3:
    case 4:
      return { _tag: "Corrupt", at, mask: random.chance(0.5) ? 1 << random.below(8) : random.between(1, 255) }
    case 5:
      return { _tag: "Stall", at, length: random.pick([20, 1000, 3000, 12_000, 40_000]) }
    default:
      return { _tag: "None" }
  }
}

const randomWeights = (random: Random): ReadonlyArray<number> => {
  const weights: Array<number> = []
  let sum = 0
  for (const operation of OPERATIONS) {
    const needed = operation === "open" || operation === "send" || operation === "deliver" || operation === "wait"
    const factor = random.pick([0, 0.3, 1, 1, 1, 1, 4])
    sum += WEIGHTS[operation] * (needed ? Math.max(0.3, factor) : factor)
    weights.push(sum)
  }
  return weights
}

export const pickOperation = (random: Random, weights: ReadonlyArray<number>): Operation => {
  const at = (random.uint32() / 0x1_0000_0000) * (weights[weights.length - 1] ?? 0)
  let i = 0
  while (i < weights.length - 1 && (weights[i] ?? 0) <= at) i++
  return OPERATIONS[i] ?? "wait"
}
