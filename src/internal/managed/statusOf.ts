/** The status of a managed session, from the states of its slots. */
import type { Live } from "./live.js"
import type { Status } from "./managedService.js"
import type { SlotState } from "./slot.js"

/** What the status needs of a slot. */
interface Viewed {
  readonly live: Live | undefined
  readonly state: SlotState
  readonly isMoving: boolean
}

/** The best state of all slots. With sessions that take streams, it is `Connected`, or `Moving` if all are replaced. */
export const statusOf = (slots: ReadonlyArray<Viewed>): Status => {
  const staying = slots.flatMap(({ isMoving, live }) =>
    live !== undefined && live.takesStreams && !isMoving ? [live] : []
  )
  const [first, ...others] = staying
  if (first !== undefined) {
    const oldest = others.reduce((a, b) => (b.since < a.since ? b : a), first)
    return { _tag: "Connected", since: oldest.since, peer: oldest.session.peer, sessions: staying.length }
  }
  const [best] = [...slots].sort((a, b) => rank(a) - rank(b))
  if (best === undefined) return { _tag: "Idle" }
  const { state } = best
  switch (state._tag) {
    case "Connecting":
      return best.isMoving ? { ...state, _tag: "Moving" } : state
    case "Backoff":
      return best.isMoving ? { _tag: "Moving", attempt: state.attempt, lastError: state.lastError } : state
    case "Connected":
      // its session leaves, and the fiber of the slot has not seen that yet
      return { _tag: "Moving", attempt: 0, lastError: undefined }
    case "GaveUp":
      return { _tag: "Failed", error: state.error }
    default:
      return state
  }
}

const RANKS = ["Connected", "Connecting", "Backoff", "Idle", "Failed", "GaveUp"]

const rank = ({ state }: Viewed): number => RANKS.indexOf(state._tag)
