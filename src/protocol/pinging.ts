/**
 * Asks the peer for a sign of life: with a heartbeat, or with a probe after the peer's GOAWAY.
 *
 * Wire: `docs/PROTOCOL.md`, sections 5.3 and 6.2.
 *
 * @since 0.1.0
 */
import type { ConnectionOptions } from "./options.js"
import type { Owners } from "./owners.js"
import { openStream } from "./streams/openStream.js"
import { StreamCore } from "./streams/streamCore.js"
import { ErrorCode } from "./wire/errorCode.js"
import { HEARTBEAT_LENGTH, HEARTBEAT_TYPE } from "./wire/heartbeat.js"

/**
 * Sends a heartbeat with this number, on the stream of heartbeats or on a new one. Returns false, and sends nothing, if
 * `Connection.ping` says so.
 *
 * @since 0.1.0
 * @category heartbeats
 */
export const sendHeartbeat = (owners: Owners, options: ConnectionOptions, nonce: number): boolean => {
  const { heartbeats, lifecycle, streamEndings } = owners
  if (!options.typed || !lifecycle.isTalking) return false
  const current = heartbeats.stream
  if (current !== undefined && current.sendWindow.credit < HEARTBEAT_LENGTH) {
    streamEndings.reset(current, ErrorCode.StreamCancelled)
  }
  const stream = heartbeats.stream ?? openHeartbeats(owners, options)
  return stream !== undefined && heartbeats.send(stream, nonce)
}

/** Opens no stream if the peer has sent GOAWAY, or if its window has no space for type and number. */
const openHeartbeats = (owners: Owners, options: ConnectionOptions): StreamCore | undefined =>
  owners.lifecycle.remoteGoAway !== undefined || options.peerWindow < 2 * HEARTBEAT_LENGTH
    ? undefined
    : openStream(owners, options, HEARTBEAT_TYPE)

/**
 * After the peer's GOAWAY a new stream of heartbeats is not possible: the peer takes no stream. But it refuses each SYN,
 * and its RST shows that it is alive.
 *
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
