/**
 * The half-close machine of a stream. Synchronous and total.
 *
 * ```text
 *                      Open
 *           SendFin   /    \   ReceiveFin
 *                    v      v
 *        HalfClosedLocal  HalfClosedRemote        Reset, from anywhere: Closed
 *                    \      /
 *         ReceiveFin  v    v  SendFin
 *                      Closed
 * ```
 *
 * @since 0.1.0
 */

/**
 * Which directions of a stream are still open on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export type StreamState = "Open" | "HalfClosedLocal" | "HalfClosedRemote" | "Closed"

/**
 * What moves a stream from one state to the next.
 *
 * @since 0.1.0
 * @category models
 */
export type Transition = "SendFin" | "ReceiveFin" | "Reset"

const table: { readonly [S in StreamState]: { readonly [T in Transition]: StreamState | undefined } } = {
  Open: { SendFin: "HalfClosedLocal", ReceiveFin: "HalfClosedRemote", Reset: "Closed" },
  HalfClosedLocal: { SendFin: undefined, ReceiveFin: "Closed", Reset: "Closed" },
  HalfClosedRemote: { SendFin: "Closed", ReceiveFin: undefined, Reset: "Closed" },
  Closed: { SendFin: undefined, ReceiveFin: undefined, Reset: "Closed" }
}

/**
 * The state after a transition, or `undefined` where the wire does not allow it.
 *
 * @since 0.1.0
 * @category transitions
 */
export const next = (state: StreamState, transition: Transition): StreamState | undefined => table[state][transition]

/**
 * Whether the peer may still send DATA.
 *
 * @since 0.1.0
 * @category queries
 */
export const canReceive = (state: StreamState): boolean => state === "Open" || state === "HalfClosedLocal"
