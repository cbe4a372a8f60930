/** What every error says of its cause. */
import type { Initiator, Processed } from "../../protocol/endReason.js"

export interface Caused {
  /** Which side caused it. */
  readonly initiator: Initiator
  /** Whether the peer may have acted on the call that failed. */
  readonly processed: Processed
}
