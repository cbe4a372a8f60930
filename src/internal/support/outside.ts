/**
 * Runs code outside of every `AsyncLocalStorage` context. What lives longer than a request (a socket, a session's
 * fibers, its timers) must not carry the context of the request that happened to start it into the work of others.
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

// made while the module loads, so its context is the program's own
const resource = hooks === undefined ? undefined : new hooks.AsyncResource("effect-muxado")

/** Calls `f` in the context that the program had when it loaded this library. */
export const outside: <A>(f: () => A) => A = resource === undefined ? (f) => f() : (f) => resource.runInAsyncScope(f)

/** The same scheduler, whose tasks run outside of every request. */
export const outsideScheduler = (base: Scheduler): Scheduler => ({
  shouldYield: (fiber) => base.shouldYield(fiber),
  scheduleTask: (task, priority, fiber) => base.scheduleTask(() => outside(task), priority, fiber)
})
