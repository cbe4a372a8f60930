/** The symbols that mark sessions and streams, and the one way to look for them. */

export const SessionTypeId: unique symbol = Symbol.for("effect-muxado/Session")

export type SessionTypeId = typeof SessionTypeId

export const MuxStreamTypeId: unique symbol = Symbol.for("effect-muxado/MuxStream")

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
