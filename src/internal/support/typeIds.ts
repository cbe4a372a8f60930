/** The symbols that mark sessions and streams, and the one way to look for them. */

/**
 * The mark of a session: see `isSession`.
 *
 * @since 0.1.0
 * @category symbols
 */
export const SessionTypeId: unique symbol = Symbol.for("effect-muxado/Session")

/**
 * The mark of a session: see `isSession`.
 *
 * @since 0.1.0
 * @category symbols
 */
export type SessionTypeId = typeof SessionTypeId

/**
 * The mark of a stream: see `isMuxStream`.
 *
 * @since 0.1.0
 * @category symbols
 */
export const MuxStreamTypeId: unique symbol = Symbol.for("effect-muxado/MuxStream")

/**
 * The mark of a stream: see `isMuxStream`.
 *
 * @since 0.1.0
 * @category symbols
 */
export type MuxStreamTypeId = typeof MuxStreamTypeId

/**
 * Whether a value carries the mark, of this copy of the library or of another. Its value is compared too: a Proxy may
 * have an answer to any `in`, or throw.
 */
export const isMarked = (value: unknown, mark: symbol): boolean => {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false
  try {
    return Reflect.get(value, mark) === mark
  } catch {
    return false
  }
}
