/** The settings of the sessions that are fuzzed. */
import type { ConnectionOptions } from "../../src/protocol/options.js"
import { connectionOptions } from "../../test/support/protocol/options.js"
import type { Setting } from "./case.js"
import type { Random } from "./random.js"

/** So little that a few frames reach each limit. */
const SMALL = {
  window: 64,
  peerWindow: 48,
  maxSendBuffer: 120,
  maxReceiveBuffer: 150,
  acceptBacklog: 2,
  maxInboundStreams: 4,
  maxOutboundStreams: 3,
  maxIdGaps: 3,
  resetBudget: { burst: 5, perSecond: 10 },
  refusalBudget: { burst: 4, perSecond: 10 },
  uselessFrameBudget: { burst: 6, perSecond: 10 },
  spareIncrements: 8,
  typeTimeout: 100,
  writeTimeout: 200,
  partialFrameTimeout: 300
} as const

export const optionsOf = ({ limits, role, typed }: Setting): ConnectionOptions => {
  const small = limits === "small"
  const heartbeat = small ? { interval: 50, tolerance: 70 } : { interval: 10_000, tolerance: 15_000 }
  return connectionOptions(role, { ...(small ? SMALL : {}), typed, heartbeat: typed ? heartbeat : undefined })
}

export const anySetting = (random: Random): Setting => ({
  role: random.pick(["client", "server"]),
  typed: random.oneIn(2),
  limits: random.oneIn(4) ? "default" : "small",
  app: random.pick(["echo", "sink", "manual"]),
  output: random.oneIn(4) ? "manual" : "auto",
  cut: random.below(1000)
})
