/**
 * Forks, interrupts and observes fibers from plain code, and schedules tasks. Only this file uses Effect's `Runtime`,
 * `FiberId` and `FiberRefs`.
 */
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type { Scheduler } from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { outsideScheduler } from "./outside.js"

/** Any fiber that runs or has run. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** An interruption by no particular fiber. */
export const interrupted: Exit.Exit<never> = Exit.interrupt(FiberId.none)

/** The fiber that calls this; `undefined` outside of all fibers. */
export const currentFiber = (): AnyFiber | undefined => Option.getOrUndefined(Fiber.getCurrentFiber())

/** Whether a fiber has ended. */
export const isDone = (fiber: AnyFiber): boolean => fiber.unsafePoll() !== null

/** Interrupts a fiber without waiting for its end. */
export const interruptNow = (fiber: AnyFiber): void => fiber.unsafeInterruptAsFork(FiberId.none)

/** Calls `f` with the exit of a fiber when it ends, or at once if it has ended. */
export const onExit = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, f: (exit: Exit.Exit<A, E>) => void): void =>
  fiber.addObserver(f)

/** The scheduler of the fiber that runs this. */
export const currentScheduler: Effect.Effect<Scheduler> = Effect.withFiberRuntime((fiber) =>
  Effect.succeed(fiber.currentScheduler)
)

/** The key under which a context has the mark of `forkIn`. */
const MARK = "effect-muxado/mark"

const markIn = ({ unsafeMap }: Context.Context<never>): object | undefined => {
  const mark: unknown = unsafeMap.get(MARK)
  return typeof mark === "object" && mark !== null ? mark : undefined
}

/** The mark of the fiber that runs this: the innermost one of `forkIn`. */
export const currentMark: Effect.Effect<object | undefined> = Effect.map(Effect.context<never>(), markIn)

/** Forks effects with the services and the settings of the fiber in which it was made. */
export class Runner<R = never> {
  private constructor(
    private readonly runtime: Runtime.Runtime<R>,
    private readonly scheduler: Scheduler
  ) {}

  /**
   * The runner of the fiber that runs this. Its fibers can be interrupted, also if it is made in an uninterruptible
   * region, such as the acquisition of a resource.
   */
  static current<R = never>(): Effect.Effect<Runner<R>, never, R> {
    return Effect.zipWith(
      Effect.runtime<R>(),
      currentScheduler,
      ({ context, fiberRefs, runtimeFlags }, scheduler) =>
        new Runner<R>(
          Runtime.make({
            context,
            fiberRefs,
            runtimeFlags: RuntimeFlags.enable(runtimeFlags, RuntimeFlags.Interruption)
          }),
          scheduler
        )
    )
  }

  /** The same, outside of every `AsyncLocalStorage` context. */
  get outside(): Runner<R> {
    const scheduler = outsideScheduler(this.scheduler)
    return new Runner(withRef(this.runtime, FiberRef.currentScheduler, scheduler), scheduler)
  }

  /** The same without the current span. With "linked", the root spans of its fibers have a link to that span. */
  withoutSpan(links: "linked" | "unlinked"): Runner<R> {
    const { context, fiberRefs, runtimeFlags } = this.runtime
    const span = Context.getOption(context, Tracer.ParentSpan)
    if (span._tag === "None") return this
    const services = new Map(context.unsafeMap)
    services.delete(Tracer.ParentSpan.key)
    const runtime = Runtime.make({ context: Context.unsafeMake<R>(services), fiberRefs, runtimeFlags })
    if (links === "unlinked") return new Runner(runtime, this.scheduler)
    const link = Chunk.of<Tracer.SpanLink>({ _tag: "SpanLink", span: span.value, attributes: {} })
    return new Runner(withRef(runtime, FiberRef.currentTracerSpanLinks, link), this.scheduler)
  }

  /** Starts a fiber. The fiber runs until it first waits, and then this returns. */
  fork<A, E>(effect: Effect.Effect<A, E, R>): Fiber.RuntimeFiber<A, E> {
    return Runtime.runFork(this.runtime, effect)
  }

  /** The mark of the fiber in which this runner was made. */
  get mark(): object | undefined {
    return markIn(this.runtime.context)
  }

  /**
   * Starts a fiber with `scope` as its scope, and with a mark that `currentMark` returns in the fiber and in those that it
   * forks. Both are put into the fiber's context before the start, because providing a service inside the fiber costs
   * more than the rest of the fiber.
   */
  forkIn<A, E, Q>(
    this: Runner<Exclude<Q, Scope.Scope>>,
    scope: Scope.Scope,
    mark: object,
    effect: Effect.Effect<A, E, Q>
  ): Fiber.RuntimeFiber<A, E> {
    const { context, fiberRefs, runtimeFlags } = this.runtime
    // not `Context.add`: the compiler cannot see that `Q` is `Exclude<Q, Scope>` plus the scope
    const services = new Map(context.unsafeMap).set(Scope.Scope.key, scope).set(MARK, mark)
    return Runtime.runFork(Runtime.make({ context: Context.unsafeMake<Q>(services), fiberRefs, runtimeFlags }), effect)
  }

  /** Starts a fiber with the current `FiberRef` values of another fiber, such as its log level and annotations. */
  forkAs<A, E>(fiber: AnyFiber, effect: Effect.Effect<A, E, R>): Fiber.RuntimeFiber<A, E> {
    const { context, runtimeFlags } = this.runtime
    return Runtime.runFork(Runtime.make({ context, fiberRefs: fiber.getFiberRefs(), runtimeFlags }), effect)
  }

  /** Runs a task after all fibers that can run now. */
  schedule(task: () => void): void {
    this.scheduler.scheduleTask(task, 0)
  }
}

const withRef = <R, A>(
  { context, fiberRefs, runtimeFlags }: Runtime.Runtime<R>,
  fiberRef: FiberRef.FiberRef<A>,
  value: A
): Runtime.Runtime<R> =>
  Runtime.make({
    context,
    fiberRefs: FiberRefs.updateAs(fiberRefs, { fiberId: FiberId.none, fiberRef, value }),
    runtimeFlags
  })

/**
 * Forks into the current scope, interruptible, and outside of every `AsyncLocalStorage` context. A fiber that lives
 * longer than the request that starts it must not have the request's async context or its uninterruptible region.
 */
export const forkOutside = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R | Scope.Scope> =>
  Effect.flatMap(currentScheduler, (scheduler) =>
    Effect.withScheduler(Effect.forkScoped(Effect.interruptible(effect)), outsideScheduler(scheduler))
  )
