/** A supervised fiber for every stream that the peer opens. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { MuxStream } from "../MuxStream.js"
import type { Queued } from "../protocol/turnQueue.js"
import { TurnQueue } from "../protocol/turnQueue.js"
import type { Server, SessionRuntime } from "./sessionRuntime.js"
import type { StreamHandle } from "./streamHandle.js"
import type { AnyFiber } from "./waiting.js"
import { WaitSet } from "./waiting.js"

type Handler<A, E, R> = (stream: MuxStream) => Effect.Effect<A, E, R>

/**
 * Runs the handler for every stream of the peer until no more will come, and completes when the last one has ended.
 * Interrupting it interrupts them all.
 *
 * A stream is taken in the step that announces it, so that a burst that arrives in one chunk fills no backlog while
 * there are handlers to be had.
 */
export const serve = <A, E, R>(
  session: SessionRuntime,
  handler: Handler<A, E, R>,
  concurrency: number
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Effect.runtime<Exclude<R, Scope.Scope>>(), (runtime) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const crew = new Crew(session, handler, runtime, concurrency)
        session.subscribe(crew)
        return crew
      }),
      (crew) => Effect.zipRight(session.refusing, crew.awaitEmpty),
      (crew) =>
        Effect.suspend(() => {
          session.unsubscribe(crew)
          return crew.interruptAll
        })
    )
  )

/** A fiber in the queue of its crew: a `Set` would leave a trace of each; see `protocol/turnQueue.ts`. */
class Member implements Queued<Member> {
  queue: TurnQueue<Member> | undefined = undefined
  next: Member | undefined = undefined
  previous: Member | undefined = undefined

  constructor(readonly fiber: AnyFiber) {}
}

/**
 * The fibers of one `serve`. What ends a stream is told to it by its fiber's observer: that is called however early the
 * fiber is interrupted, and costs no region of its own.
 */
class Crew<A, E, R> implements Server {
  /** Those of the handlers, until their scopes are closed, and those that close them. */
  private readonly members = new TurnQueue<Member>()
  private readonly empty = new WaitSet()
  private scopes: Array<Scope.CloseableScope> = []

  constructor(
    private readonly session: SessionRuntime,
    private readonly handler: Handler<A, E, R>,
    private readonly runtime: Runtime.Runtime<Exclude<R, Scope.Scope>>,
    /** So many more streams are taken at once. */
    public free: number
  ) {}

  start(stream: StreamHandle): void {
    const scope = this.takeScope()
    const runtime = this.inScope(scope)
    const fiber = Runtime.runFork(
      runtime,
      Effect.flatMap(
        Effect.suspend(() => this.handler(stream)),
        () => Effect.uninterruptible(Scope.close(scope, Exit.void))
      )
    )
    const member = this.join(fiber)
    const interrupt = () => fiber.unsafeInterruptAsFork(FiberId.none)
    if (stream.core.failure === undefined) stream.onFailure = interrupt
    else interrupt()
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) this.ended(member, stream, exit)
      else this.close(member, stream, scope, exit)
    })
  }

  /** Waits until no handler runs. */
  get awaitEmpty(): Effect.Effect<void> {
    return this.empty.waitUnless(() => this.members.size === 0)
  }

  get interruptAll(): Effect.Effect<void> {
    return Effect.zipRight(
      Effect.suspend(() => Fiber.interruptAll(this.members.values().map(({ fiber }) => fiber))),
      this.awaitEmpty
    )
  }

  /** A handler that fails leaves its scope open: a region that closed it in any case would cost all the others. */
  private close(member: Member, stream: StreamHandle, scope: Scope.CloseableScope, exit: Exit.Exit<unknown, E>): void {
    const { context, runtimeFlags } = this.runtime
    const after = Runtime.make({ context, fiberRefs: member.fiber.getFiberRefs(), runtimeFlags })
    const closing = Runtime.runFork(after, Effect.uninterruptible(Scope.close(scope, exit)))
    const closer = this.join(closing)
    closing.addObserver((closed) => {
      this.members.delete(closer)
      this.ended(member, stream, Exit.zipLeft(exit, closed))
    })
  }

  /** A handler is done, and so is its scope. */
  private ended(member: Member, stream: StreamHandle, exit: Exit.Exit<unknown, unknown>): void {
    stream.endWith(exit)
    this.report(stream, exit)
    this.session.release(this)
    this.leave(member)
  }

  private join(fiber: AnyFiber): Member {
    const member = new Member(fiber)
    this.members.add(member)
    return member
  }

  private leave(member: Member): void {
    this.members.delete(member)
    if (this.members.size === 0) this.empty.notifyAll()
  }

  private report(stream: StreamHandle, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return
    const fiber = Runtime.runFork(
      this.runtime,
      Cause.isDie(exit.cause)
        ? Effect.logError(`The handler of stream ${stream.id} died`, exit.cause)
        : Effect.logDebug(`The handler of stream ${stream.id} failed`, exit.cause)
    )
    const member = this.join(fiber)
    fiber.addObserver(() => this.leave(member))
  }

  /** The runtime of a handler whose scope this is: to provide a service to an effect that runs costs far more. */
  private inScope(scope: Scope.Scope): Runtime.Runtime<R> {
    const { context, fiberRefs, runtimeFlags } = this.runtime
    // `Context.add` would do, could the compiler see that `R` is nothing but `Exclude<R, Scope>` and the scope
    const services = new Map(context.unsafeMap).set(Scope.Scope.key, scope)
    return Runtime.make({ context: Context.unsafeMake<R>(services), fiberRefs, runtimeFlags })
  }

  private takeScope(): Scope.CloseableScope {
    if (this.scopes.length === 0) this.scopes = Effect.runSync(SCOPES)
    return this.scopes.pop() ?? Effect.runSync(Scope.make())
  }
}

/** To run an effect costs more than to make a scope. */
const SCOPES = Effect.replicateEffect(Scope.make(), 32)
