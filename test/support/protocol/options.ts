/** Options for cores under test: the conventional sizes, unless told otherwise. Times are in milliseconds. */
import type { ConnectionOptions } from "../../../src/protocol/options.js"

export type Overrides = Partial<Omit<ConnectionOptions, "role">>

export const connectionOptions = (role: "client" | "server", overrides: Overrides = {}): ConnectionOptions => ({
  role,
  typed: false,
  window: 262_144,
  maxWindow: 16_777_216,
  growthLimit: 0,
  peerWindow: overrides.window ?? 262_144,
  maxSendBuffer: 1_048_576,
  maxReceiveBuffer: 67_108_864,
  acceptBacklog: 128,
  maxInboundStreams: 1024,
  maxOutboundStreams: 1024,
  maxIdGaps: 1024,
  resetBudget: { burst: 200, perSecond: 33 },
  refusalBudget: { burst: 4096, perSecond: 1000 },
  uselessFrameBudget: { burst: 1000, perSecond: 100 },
  spareIncrements: 1024,
  typeTimeout: 10_000,
  announceDrain: true,
  heartbeat: undefined,
  writeTimeout: 30_000,
  partialFrameTimeout: 30_000,
  ...overrides
})
