/**
 * Runs code outside of every `AsyncLocalStorage` context. A socket, a session's fibers and its timers live longer than
 * the request that starts them. They must not carry the context of this request into other requests.
 *
 * `process.getBuiltinModule` finds the module without an import, so that this file also loads in a browser, where
 * there is no such context.
 */
import type { Scheduler } from "effect/Scheduler"

interface AsyncHooks {
  readonly AsyncResource: new (type: string) => { readonly runInAsyncScope: <A>(f: () => A) => A }
}

interface Process {
  readonly getBuiltinModule?: (id: "async_hooks") => AsyncHooks | undefined
}

const hooks = (globalThis as { readonly process?: Process }).process?.getBuiltinModule?.("async_hooks")

// created while the module loads, so it has the context of the program's start
const resource = hooks === undefined ? undefined : new hooks.AsyncResource("effect-muxado")

/** Calls `f` in the context that the program had when it loaded this library. */
export const outside: <A>(f: () => A) => A = resource === undefined ? (f) => f() : (f) => resource.runInAsyncScope(f)

/** Wraps a scheduler. Its tasks run outside of the context of every request. */
export const outsideScheduler = (base: Scheduler): Scheduler => ({
  shouldYield: (fiber) => base.shouldYield(fiber),
  scheduleTask: (task, priority, fiber) => base.scheduleTask(() => outside(task), priority, fiber)
})
