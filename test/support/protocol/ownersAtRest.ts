/** What the owners of a session must hold once none of its streams is left. */
import { assert } from "@effect/vitest"
import type { Owners } from "../../../src/protocol/owners.js"

/** `held`: received bytes that can still be read, which no owner but the receive buffer may know of. */
export const assertNothingLeft = (owners: Owners, held = 0): void => {
  const { backlog, capacity, credit, heartbeats, received, scheduler, table, untyped, writers } = owners
  assert.deepStrictEqual(
    {
      streams: table.size,
      inbound: table.inboundCount,
      outbound: table.outboundCount,
      backlog: backlog.size,
      queued: capacity.queued,
      held: received.held,
      grown: credit.grown,
      untyped: untyped.size,
      hasStreams: scheduler.hasStreams,
      heartbeats: heartbeats.stream,
      deadline: Math.min(credit.next(), writers.next(), untyped.next())
    },
    {
      streams: 0,
      inbound: 0,
      outbound: 0,
      backlog: 0,
      queued: 0,
      held,
      grown: 0,
      untyped: 0,
      hasStreams: false,
      heartbeats: undefined,
      deadline: Infinity
    }
  )
}
