/**
 * Opens a stream of this side.
 *
 * Wire: `docs/PROTOCOL.md`, section 4.
 *
 * @since 0.1.0
 */
import type { ConnectionOptions } from "../options.js"
import type { Owners } from "../owners.js"
import { StreamCore } from "./streamCore.js"

/**
 * Its SYN, with the type, leaves with the next batch. Returns `undefined` if no id is left.
 *
 * @since 0.1.0
 * @category constructors
 */
export const openStream = (
  { budgets, scheduler, table }: Owners,
  options: ConnectionOptions,
  type: number | undefined
): StreamCore | undefined => {
  const id = table.takeLocalId()
  if (id === undefined) return undefined
  const stream = new StreamCore(id, "Local", options, type)
  if (type !== undefined) stream.sendWindow.consume(4)
  table.add(stream)
  budgets.streamBegan()
  scheduler.schedule(stream)
  return stream
}
