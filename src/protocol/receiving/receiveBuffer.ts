/**
 * Room for received bytes, in all streams together. Synchronous and total.
 *
 * @since 0.1.0
 */
import type { Core } from "../core.js"

/**
 * Makes room for bytes that are announced: where all streams together would hold too much, those that hold most are
 * given up. False, and nothing is given up, when that would not be enough.
 *
 * @since 0.1.0
 * @category receiving
 */
export const makeRoom = (core: Core, length: number): boolean => {
  const { maxReceiveBuffer } = core.options
  if (core.held + length <= maxReceiveBuffer) return true
  const streams = [...core.table.values()].sort((a, b) => a.inbound.length - b.inbound.length)
  const alive = streams.reduce((sum, stream) => sum + stream.inbound.length, 0)
  if (core.held - alive + length > maxReceiveBuffer) return false
  // one RST too many ends the session
  while (core.held + length > maxReceiveBuffer && core.end === undefined) {
    const largest = streams.pop()
    if (largest === undefined) break
    core.giveUp(largest)
  }
  return true
}
