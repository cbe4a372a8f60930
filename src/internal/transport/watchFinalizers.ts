/** Whether an effect that was given a scope has put something into it. */
import type * as Scope from "effect/Scope"

/**
 * A writer that registers a finalizer ends its direction by it; one that does not has only the close event, which ends
 * both. A `Socket` says this in no other way.
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
