/** The choices of a seed before the first step. */
import type { SessionOptions } from "effect-muxado"
import type { SimulatedTransport } from "effect-muxado/testing"
import type { Random } from "../random.js"

export const FAULTS = [
  "none",
  "cut",
  "blackHole",
  "stallWrites",
  "neverEnd",
  "halfOpen",
  "corrupt",
  "writeThrows"
] as const
export type FaultName = (typeof FAULTS)[number]

export const ENDINGS = ["drain", "drainBoth", "close", "closeBoth", "scope", "goAway"] as const
export type Ending = (typeof ENDINGS)[number]

/** One pair of sessions, over one connection. */
export interface Generation {
  readonly client: SessionOptions
  readonly server: SessionOptions
  readonly link: SimulatedTransport.Options
  /** The transports call back. */
  readonly direct: boolean
  readonly fault: FaultName
  /** When it strikes, in milliseconds. */
  readonly faultAt: number
  readonly ending: Ending
  /** Whether the end comes while calls go on; in milliseconds. */
  readonly endingAt: number | undefined
  readonly callers: number
  readonly callsEach: number
  /** The largest write. */
  readonly size: number
  readonly servers: "serve" | "accept"
  readonly concurrency: number
}

export const randomGeneration = (random: Random): Generation => {
  const typed = random.chance(0.7)
  const [here, there] = [randomWindow(random), randomWindow(random)]
  const same = random.chance(0.5)
  const [clientWindow, serverWindow] = [here, same ? here : there]
  const heartbeats = typed && random.chance(0.6)
  const side = (window: number, peerWindow: number): SessionOptions => ({
    typed,
    window,
    // a peer that starts from a smaller window than it has lives on credit that comes in time
    peerWindow: random.chance(0.25) ? Math.max(16, Math.ceil(peerWindow / random.pick([3, 20]))) : peerWindow,
    heartbeat: heartbeats ? { interval: random.pick([500, 3000]), tolerance: random.pick([8000, 20_000]) } : false,
    maxSendBuffer: random.pick([1024, 5000, 65_536, 1_048_576]),
    // TEMPORARY: the default counts the streams of the peer alone, and gives up others that keep to their windows
    maxReceiveBuffer: 67_108_864,
    acceptBacklog: random.pick([1, 3, 128]),
    maxInboundStreams: random.pick([2, 20, 1024]),
    maxOutboundStreams: random.pick([1, 1, 4, 1024]),
    drainTimeout: random.pick([500, 5000]),
    closeTimeout: random.pick([300, 2000])
  })
  const fault = random.chance(0.55) ? "none" : random.pick(FAULTS)
  const chunking = random.pick(["whole", "whole", "byte", "joined", "random"] as const)
  const latency = random.pick([0, 0, 1, 10, 80])
  const bandwidth = random.pick([Infinity, Infinity, 1_000_000, 60_000])
  // so that a link which is slow in itself is not taken for a dead one
  const least = latency <= 1 ? 64 : latency * 800
  const bufferSize = Math.max(least, random.pick([64, 1500, 20_000, 65_536, 300_000]))
  const small = bufferSize === 64 || Math.min(clientWindow, serverWindow) < 500
  return {
    client: side(clientWindow, serverWindow),
    server: side(serverWindow, clientWindow),
    link: {
      latency,
      jitter: random.pick([0, 0, 5, 60]),
      bandwidth,
      chunking: chunking === "random" ? { min: 1, max: random.pick([9, 2000, 40_000]) } : chunking,
      bufferSize,
      seed: random.below(1_000_000)
    },
    direct: random.chance(0.4),
    fault,
    faultAt: random.size(2000),
    ending: random.pick(ENDINGS),
    endingAt: random.chance(0.35) ? random.size(1500) : undefined,
    callers: random.pick([1, 2, 4, 9]),
    callsEach: random.between(1, 3),
    size:
      chunking === "byte"
        ? random.pick([5, 80])
        : small
          ? random.pick([5, 300])
          : random.pick([20, 3000, 20_000, 60_000]),
    servers: random.chance(0.7) ? "serve" : "accept",
    concurrency: random.pick([1, 3, Infinity])
  }
}

const randomWindow = (random: Random): number => random.pick([16, 200, 4096, 65_536, 262_144, 1_048_576])
