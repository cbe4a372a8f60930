/** Detects whether an effect has used its scope. */
import type * as Scope from "effect/Scope"

/**
 * Returns a scope that records whether it is used. If the writer of a `Socket` adds a finalizer, the finalizer ends
 * the outbound direction alone. If not, only a close event ends it, and that ends both directions. A `Socket` shows
 * this in no other way.
 */
export const watchFinalizers = (
  scope: Scope.Scope
): { readonly scope: Scope.Scope; readonly isUsed: () => boolean } => {
  let used = false
  const watched = new Proxy(scope, {
    get: (target, key, receiver): unknown => {
      used ||= key === "addFinalizer" || key === "fork"
      return Reflect.get(target, key, receiver)
    }
  })
  return { scope: watched, isUsed: () => used }
}
