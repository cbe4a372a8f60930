/** The symbols that mark sessions and streams, and the check for such a mark. */

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
 * Whether a value has the mark, from this copy of the library or from another one. It compares the property's value,
 * and does not use `in`, because a Proxy can answer true to every `in`. Returns false if a Proxy throws.
 */
export const isMarked = (value: unknown, mark: symbol): boolean => {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false
  try {
    return Reflect.get(value, mark) === mark
  } catch {
    return false
  }
}
