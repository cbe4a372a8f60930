/**
 * Asks a peer that has sent GOAWAY for a sign of life. A new heartbeat stream is not possible then: its opener sends no
 * stream that the peer would take. But the peer refuses each SYN, and its RST shows that it is alive.
 *
 * Wire: `docs/PROTOCOL.md`, sections 5.3 and 6.2.
 *
 * @since 0.1.0
 */
import type { ConnectionOptions } from "./options.js"
import type { Owners } from "./owners.js"
import { StreamCore } from "./streams/streamCore.js"
import { ErrorCode } from "./wire/errorCode.js"
import { HEARTBEAT_TYPE } from "./wire/heartbeat.js"

/**
 * Sends a SYN without type and payload, because Go reads the payload of a stream that it refuses as frames. Returns false,
 * and sends nothing, on an untyped session, while this side closes, before a GOAWAY of the peer, and without a free id.
 *
 * @since 0.1.0
 * @category heartbeats
 */
export const sendProbe = (owners: Owners, options: ConnectionOptions): boolean => {
  const { heartbeats, lifecycle, scheduler, streamEndings, table } = owners
  if (!options.typed || !lifecycle.isTalking || lifecycle.remoteGoAway === undefined) return false
  if (heartbeats.probe !== undefined) streamEndings.reset(heartbeats.probe, ErrorCode.StreamCancelled)
  const id = table.takeLocalId()
  if (id === undefined) return false
  const stream = new StreamCore(id, "Local", options, HEARTBEAT_TYPE)
  stream.sendsType = false
  heartbeats.probe = stream
  table.add(stream)
  scheduler.schedule(stream)
  return true
}
