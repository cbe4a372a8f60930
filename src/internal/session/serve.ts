/** A supervised fiber for every stream that the peer opens. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { isMuxadoError } from "../../MuxadoError.js"
import type { MuxStream } from "../stream/muxStream.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { Linked } from "../../protocol/collections/linkedQueue.js"
import { LinkedQueue } from "../../protocol/collections/linkedQueue.js"
import { describeValue, isUint32 } from "../support/bytes.js"
import type { Server } from "./acceptQueue.js"
import type { SessionState } from "./state.js"
import type { StreamHandle } from "../stream/streamHandle.js"
import type { AnyFiber } from "../support/run.js"
import { interruptNow, onExit, Runner } from "../support/run.js"
import { WaitSet } from "../support/waiters.js"

type Handler<A, E, R> = (stream: MuxStream) => Effect.Effect<A, E, R>

/**
 * Runs the handler for every stream of the peer until no more will come, and completes when the last one has ended.
 * Interrupting it interrupts them all.
 *
 * A stream is taken in the step that announces it, so that a burst that arrives in one chunk fills no backlog while
 * handlers are free.
 */
export const serve = <A, E, R>(
  session: SessionState,
  handler: Handler<A, E, R>,
  concurrency: number,
  resetCode: ((error: E) => number) | undefined
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Runner.current<Exclude<R, Scope.Scope>>(), (runner) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const handlers = new HandlerSet(session, handler, runner.withoutSpan("linked"), concurrency, resetCode)
        session.accepting.subscribe(handlers)
        return handlers
      }),
      (handlers) => Effect.zipRight(session.refusing.await, handlers.awaitEmpty),
      (handlers) =>
        Effect.suspend(() => {
          session.accepting.unsubscribe(handlers)
          return handlers.interruptAll
        })
    )
  )

/** A fiber in the queue of its `HandlerSet`, which is no `Set` for reason 2 of `protocol/collections/v8.ts`. */
class HandlerFiber implements Linked<HandlerFiber> {
  queue: LinkedQueue<HandlerFiber> | undefined = undefined
  next: HandlerFiber | undefined = undefined
  previous: HandlerFiber | undefined = undefined

  constructor(readonly fiber: AnyFiber) {}
}

/**
 * The fibers of one `serve`. The observer of a handler's fiber ends its stream: it is called however early the fiber is
 * interrupted, and costs no region.
 */
class HandlerSet<A, E, R> implements Server {
  /** Those of the handlers, until their scopes are closed, and those that close them. */
  private readonly fibers = new LinkedQueue<HandlerFiber>()
  private readonly empty = new WaitSet()
  private scopes: Array<Scope.CloseableScope> = []

  constructor(
    private readonly session: SessionState,
    private readonly handler: Handler<A, E, R>,
    /** A handler is short-lived and its connection is not, so each handler begins a trace of its own. */
    private readonly runner: Runner<Exclude<R, Scope.Scope>>,
    /** How many more streams may be served now. */
    public free: number,
    private readonly resetCode: ((error: E) => number) | undefined
  ) {}

  start(stream: StreamHandle): void {
    const scope = this.takeScope()
    const fiber = this.runner.forkIn(
      scope,
      Effect.flatMap(
        Effect.suspend(() => this.handler(stream)),
        () => Effect.uninterruptible(Scope.close(scope, Exit.void))
      )
    )
    const running = this.join(fiber)
    const interrupt = () => interruptNow(fiber)
    if (stream.core.failure === undefined) stream.onFailure = interrupt
    else interrupt()
    onExit(fiber, (exit) => {
      if (Exit.isSuccess(exit)) this.ended(running, stream, exit)
      else this.close(running, stream, scope, exit)
    })
  }

  /** Waits until no handler runs. */
  get awaitEmpty(): Effect.Effect<void> {
    return this.empty.waitUnless(() => this.fibers.size === 0)
  }

  get interruptAll(): Effect.Effect<void> {
    return Effect.zipRight(
      Effect.suspend(() => Fiber.interruptAll(this.fibers.values().map(({ fiber }) => fiber))),
      this.awaitEmpty
    )
  }

  /** A handler that fails leaves its scope open: a region that closed it in any case would cost all the others. */
  private close(
    running: HandlerFiber,
    stream: StreamHandle,
    scope: Scope.CloseableScope,
    exit: Exit.Exit<unknown, E>
  ): void {
    const closing = this.runner.forkAs(running.fiber, Effect.uninterruptible(Scope.close(scope, exit)))
    const closer = this.join(closing)
    onExit(closing, (closed) => {
      this.fibers.delete(closer)
      this.ended(running, stream, Exit.zipLeft(exit, closed))
    })
  }

  /** A handler is done, and so is its scope. */
  private ended(running: HandlerFiber, stream: StreamHandle, exit: Exit.Exit<unknown, E>): void {
    const coded = this.coded(exit)
    stream.endWith(coded.exit, coded.code)
    this.report(stream, coded.exit)
    this.session.accepting.release(this)
    this.leave(running)
  }

  private join(fiber: AnyFiber): HandlerFiber {
    const running = new HandlerFiber(fiber)
    this.fibers.add(running)
    return running
  }

  private leave(running: HandlerFiber): void {
    this.fibers.delete(running)
    if (this.fibers.size === 0) this.empty.notifyAll()
  }

  /** The code that the peer is to see for a failure of the handler, and the exit: `resetCode` may die, too. */
  private coded(exit: Exit.Exit<unknown, E>): {
    readonly exit: Exit.Exit<unknown, E>
    readonly code: number | undefined
  } {
    const none = { exit, code: undefined }
    if (this.resetCode === undefined || Exit.isSuccess(exit) || Cause.isDie(exit.cause)) return none
    const failure = Cause.failureOption(exit.cause)
    if (failure._tag === "None") return none
    try {
      const code = this.resetCode(failure.value)
      if (isUint32(code)) return { exit, code }
      throw new RangeError(`resetCode must give an integer from 0 to 4294967295, not ${describeValue(code)}`)
    } catch (error) {
      return { exit: Exit.failCause(Cause.sequential(exit.cause, Cause.die(error))), code: ErrorCode.InternalError }
    }
  }

  private report(stream: StreamHandle, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return
    const { id, type } = stream
    const typed = type === undefined ? "" : ` (type ${type})`
    const failure = Cause.failureOption(exit.cause)
    const line = Cause.isDie(exit.cause)
      ? Effect.logError(`The handler of stream ${id} died`, exit.cause)
      : failure._tag === "Some" && isMuxadoError(failure.value)
        ? // the stream or the session ended, which others report
          Effect.logDebug(`The handler of stream ${id}${typed} failed: ${failure.value.message}`)
        : Effect.logWarning(`The handler of stream ${id}${typed} failed`, exit.cause)
    const fiber = this.runner.fork(line)
    const running = this.join(fiber)
    onExit(fiber, () => this.leave(running))
  }

  private takeScope(): Scope.CloseableScope {
    if (this.scopes.length === 0) this.scopes = Effect.runSync(SCOPES)
    return this.scopes.pop() ?? Effect.runSync(Scope.make())
  }
}

/** To run an effect costs more than to make a scope. */
const SCOPES = Effect.replicateEffect(Scope.make(), 32)
