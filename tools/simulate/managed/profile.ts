/** The choices of a seed for managed sessions, before the first step. */
import type { SimulatedTransport } from "effect-muxado/testing"
import type { Random } from "../random.js"

/** What comes of a connection that a client asks for. */
export type Behaviour =
  | "serve"
  /** It takes up to 3 seconds. */
  | "slow"
  | "refuse"
  /** Credentials are wrong: `isFinal`, if the client says so. */
  | "deny"
  /** `connect` never completes. */
  | "hang"
  /** `connect` cannot be interrupted for 40 seconds, and has a connection then. */
  | "stuck"
  | "die"
  | "interrupt"
  /** The connection is there, and nothing answers on it. */
  | "silent"
  | "drop"
  /** The server sends GOAWAY at once, and closes. */
  | "goAway"
  /** The same, with EnhanceYourCalm. */
  | "calm"

const GRACEFUL = ["drain", "drain", "replace", "jump", "hurry"] as const
const ROUGH = [
  ...GRACEFUL,
  ...(["cut", "cut", "cutAll", "blackHole", "blackHoleUp", "blackHoleDown", "stall", "goAway", "goAwayStays"] as const),
  ...(["calm", "close", "restart", "weather", "weather"] as const)
] as const
export type FaultName = (typeof ROUGH)[number]

const ENDINGS = ["scope", "scope", "drain", "close", "closeWith"] as const
type Ending = (typeof ENDINGS)[number]

/** Delays of `base`, twice that, and so on up to `cap`; `most` of them. In milliseconds. */
export interface Delays {
  readonly base: number
  readonly cap: number
  readonly most: number
}

/** Durations are in milliseconds. */
export interface ClientProfile {
  readonly size: number
  readonly onDemand: boolean
  readonly openTimeout: number | "FailFast"
  readonly connectTimeout: number
  readonly healthyAfter: number
  readonly maxAge: number | undefined
  readonly moveGrace: number
  readonly probeAfter: number
  readonly probeTimeout: number
  readonly verify: boolean
  readonly maxWaiting: number
  /** The streams of one session; further ones wait until one of them ends. */
  readonly maxOutboundStreams: number
  readonly retry: boolean
  /** `undefined` for the default schedule. */
  readonly delays: Delays | undefined
  readonly isFinal: boolean
  readonly drainTimeout: number
  readonly closeTimeout: number
  /** Its transports have a fast path. */
  readonly direct: boolean
  readonly serves: "no" | "serve" | "accept"
  readonly callers: number
  readonly callsEach: number
  readonly ending: Ending
  /** When it ends, while everything goes on; `undefined` for the end. */
  readonly endingAt: number | undefined
}

export interface World {
  /** Only what loses no call: drains that are announced, and sessions that are replaced. */
  readonly graceful: boolean
  readonly typed: boolean
  readonly heartbeat: { readonly interval: number; readonly tolerance: number }
  readonly clients: ReadonlyArray<ClientProfile>
  readonly link: SimulatedTransport.Options
  readonly servers: number
  /** The streams of one connection that a server takes. */
  readonly room: number
  readonly drainTimeout: number
  readonly faults: ReadonlyArray<{ readonly at: number; readonly what: FaultName }>
  /** When the faults stop. */
  readonly calmAt: number
  /** A stream with this id is one of the last; `undefined` for the true limit. */
  readonly lastIds: number | undefined
}

export const randomWorld = (random: Random): World => {
  const graceful = random.chance(0.3)
  const typed = random.chance(0.85)
  const calmAt = random.pick([2000, 10_000, 30_000, 60_000])
  const faults = Array.from({ length: random.between(0, graceful ? 4 : 9) }, () => ({
    at: random.below(calmAt),
    what: random.pick(graceful ? GRACEFUL : ROUGH)
  }))
  return {
    graceful,
    typed,
    heartbeat: random.pick([
      { interval: 1000, tolerance: 2000 },
      { interval: 5000, tolerance: 5000 },
      { interval: 20_000, tolerance: 20_000 }
    ]),
    clients: Array.from({ length: random.pick([1, 1, 2, 3]) }, () => randomClient(random, graceful, typed, calmAt)),
    link: {
      latency: random.pick([0, 0, 1, 10, 80]),
      jitter: random.pick([0, 0, 5]),
      chunking: random.pick(["whole", "whole", "joined", { min: 1, max: 40 }] as const)
    },
    servers: random.between(1, 3),
    room: graceful || random.chance(0.7) ? 1024 : random.pick([1, 2]),
    drainTimeout: graceful ? 60_000 : random.pick([200, 5000]),
    faults: faults.sort((a, b) => a.at - b.at),
    calmAt,
    lastIds: random.chance(0.2) ? random.pick([5, 9, 21]) : undefined
  }
}

const randomClient = (random: Random, graceful: boolean, typed: boolean, calmAt: number): ClientProfile => {
  const onDemand = random.chance(0.4)
  return {
    size: random.pick([1, 1, 2, 3]),
    onDemand,
    openTimeout: graceful ? 20_000 : random.pick<number | "FailFast">([500, 3000, 10_000, "FailFast"]),
    connectTimeout: graceful ? 10_000 : random.pick([1000, 4000, 10_000]),
    healthyAfter: random.pick([500, 3000, 10_000]),
    maxAge: random.chance(0.35) ? random.pick([1500, 4000, 15_000]) : undefined,
    // longer than a short call takes at rest
    moveGrace: graceful ? 60_000 : random.pick([1000, 2000, 30_000]),
    probeAfter: random.pick([50, 1000, 30_000]),
    probeTimeout: graceful ? 5000 : random.pick([500, 2000]),
    verify: typed && random.chance(0.8),
    maxWaiting: graceful || random.chance(0.7) ? 10_000 : random.pick([onDemand ? 2 : 0, 1, 3]),
    maxOutboundStreams: random.pick([1024, 1024, 1]),
    retry: random.chance(0.3),
    delays: random.chance(0.3)
      ? undefined
      : {
          // a minute of attempts every 20 ms takes long
          base: random.pick(calmAt > 10_000 ? [30, 100] : [0, 1, 30, 100]),
          cap: random.pick([500, 5000]),
          most: graceful || random.chance(0.8) ? Infinity : random.pick([0, 3, 6])
        },
    isFinal: random.chance(0.3),
    drainTimeout: random.pick([300, 5000]),
    closeTimeout: random.pick([300, 2000]),
    direct: random.chance(0.3),
    serves: random.pick(["no", "no", "serve", "accept"] as const),
    callers: random.pick([0, 1, 2, 4, 8]),
    callsEach: random.between(1, 6),
    ending: random.pick(ENDINGS),
    endingAt: !graceful && random.chance(0.2) ? random.below(calmAt) : undefined
  }
}
