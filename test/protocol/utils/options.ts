/** Options for cores under test: the conventional sizes, unless told otherwise. Times are in milliseconds. */
import type { ConnectionOptions } from "../../../src/protocol/core.js"

export type Overrides = Partial<Omit<ConnectionOptions, "role">>

export const connectionOptions = (role: "client" | "server", overrides: Overrides = {}): ConnectionOptions => ({
  role,
  typed: false,
  window: 262_144,
  peerWindow: overrides.window ?? 262_144,
  outboundLimit: 1_048_576,
  acceptBacklog: 128,
  maxInboundStreams: 1024,
  maxOutboundStreams: 1024,
  typeTimeout: 10_000,
  heartbeat: undefined,
  writeTimeout: 30_000,
  partialFrameTimeout: 30_000,
  ...overrides
})
