/** Which status of a managed session may follow which. */
import type { ManagedSession } from "effect-muxado"

export type Tag = ManagedSession.Status["_tag"]

interface Row {
  /** What may follow, whatever the options are. */
  readonly always: ReadonlyArray<Tag>
  /** What may follow, too, with `dial: "OnDemand"`: nobody wants a session any more. */
  readonly onDemand: ReadonlyArray<Tag>
  /** What may follow, too, with several connections, because the status is the best of their states. */
  readonly several: ReadonlyArray<Tag>
}

/** A status may follow itself, with other contents, where it is listed. */
const TABLE: { readonly [T in Tag]: Row } = {
  Idle: { always: ["Connecting", "Draining"], onDemand: [], several: [] },
  Connecting: {
    // `Moving`: the peer has left in the very step in which the session was ready
    always: ["Connected", "Moving", "Backoff", "Failed", "Draining"],
    onDemand: [],
    several: ["Connecting", "Idle"]
  },
  // `Backoff`: a call waits, and the default delay is shortened for it
  Backoff: { always: ["Backoff", "Connecting", "Draining"], onDemand: ["Idle"], several: ["Moving", "Failed"] },
  Connected: {
    // `Backoff`: the session was lost. `Connecting`: the delay of a slot whose session was lost is over
    always: ["Moving", "Backoff", "Failed", "Draining"],
    onDemand: ["Idle"],
    several: ["Connected", "Connecting"]
  },
  Moving: {
    always: ["Connected", "Moving", "Backoff", "Failed", "Draining"],
    onDemand: ["Idle"],
    several: ["Connecting"]
  },
  Failed: { always: ["Connecting", "Draining"], onDemand: ["Idle"], several: ["Failed"] },
  Draining: { always: ["Closed"], onDemand: [], several: [] },
  Closed: { always: [], onDemand: [], several: [] }
}

/** Whether `after` may follow `before`. */
export const mayFollow = (
  before: Tag,
  after: Tag,
  { onDemand, size }: { readonly onDemand: boolean; readonly size: number }
): boolean => {
  const row = TABLE[before]
  return (
    row.always.includes(after) ||
    (onDemand && row.onDemand.includes(after)) ||
    (size > 1 && (row.several.includes(after) || (onDemand && after === "Idle" && before !== "Draining")))
  )
}
