/**
 * The half-close state machine of a stream.
 *
 * ```text
 *                      Open
 *           SendFin   /    \   ReceiveFin
 *                    v      v
 *        HalfClosedLocal  HalfClosedRemote        Reset, from anywhere: Closed
 *                    \      /
 *  ReceiveFin, Release v    v  SendFin
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
 * A transition of a stream. `Release`: this side has sent its FIN and reads no more, so it does not wait for the peer's
 * FIN.
 *
 * @since 0.1.0
 * @category models
 */
export type Transition = "SendFin" | "ReceiveFin" | "Release" | "Reset"

const table: { readonly [S in StreamState]: { readonly [T in Transition]: StreamState | undefined } } = {
  Open: { SendFin: "HalfClosedLocal", ReceiveFin: "HalfClosedRemote", Release: undefined, Reset: "Closed" },
  HalfClosedLocal: { SendFin: undefined, ReceiveFin: "Closed", Release: "Closed", Reset: "Closed" },
  HalfClosedRemote: { SendFin: "Closed", ReceiveFin: undefined, Release: undefined, Reset: "Closed" },
  Closed: { SendFin: undefined, ReceiveFin: undefined, Release: undefined, Reset: "Closed" }
}

/**
 * The state after a transition, or `undefined` if the wire does not allow it.
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
