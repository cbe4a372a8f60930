/** Runs a supervised fiber for every stream that the peer opens. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { MuxadoError } from "../../MuxadoError.js"
import { isMuxadoError } from "../../MuxadoError.js"
import type { MuxStream } from "../stream/muxStream.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { Linked } from "../../protocol/collections/linkedQueue.js"
import { LinkedQueue } from "../../protocol/collections/linkedQueue.js"
import { describeValue, isUint32 } from "../support/bytes.js"
import type { AcceptSource, ServedSessions, Server } from "./acceptSource.js"
import { Handling, handlingIn } from "./handling.js"
import type { StreamHandle } from "../stream/streamHandle.js"
import type { AnyFiber } from "../support/run.js"
import { interruptNow, onExit, Runner } from "../support/run.js"
import { WaitSet } from "../support/waiters.js"

type Handler<A, E, R> = (stream: MuxStream) => Effect.Effect<A, E, R>

/**
 * Runs the handler for every stream of the peer that has one of `types`. Without types, it takes every stream that no
 * other `serve` takes by its type. Completes when the session accepts no more streams and the last
 * handler has ended. An interruption interrupts all handlers.
 *
 * It takes a stream in the step that announces it. So a burst of streams in one chunk does not fill the backlog while
 * handlers are free.
 */
export const serve = <A, E, R>(
  sessions: ServedSessions,
  handler: Handler<A, E, R>,
  types: ReadonlySet<number> | undefined,
  concurrency: number,
  resetCode: ((error: E) => number) | undefined
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Runner.current<Exclude<R, Scope.Scope>>(), (runner) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const { accepting } = sessions
        const handlers = new HandlerSet(accepting, handler, types, runner.withoutSpan("linked"), concurrency, resetCode)
        accepting.subscribe(handlers)
        return handlers
      }),
      (handlers) => Effect.zipRight(sessions.refusing.await, handlers.awaitEmpty),
      (handlers) =>
        Effect.suspend(() => {
          sessions.accepting.unsubscribe(handlers)
          return handlers.interruptAll
        })
    )
  )

/** A fiber in the queue of its `HandlerSet`. The queue is not a `Set`: see reason 2 in `protocol/collections/v8.ts`. */
class HandlerFiber implements Linked<HandlerFiber> {
  queue: LinkedQueue<HandlerFiber> | undefined = undefined
  next: HandlerFiber | undefined = undefined
  previous: HandlerFiber | undefined = undefined

  constructor(readonly fiber: AnyFiber) {}
}

/**
 * The fibers of one `serve`. An observer of a handler's fiber ends its stream. Effect calls it even if the fiber is
 * interrupted before its first operation, and it costs less than an uninterruptible region around the handler.
 */
class HandlerSet<A, E, R> implements Server {
  /** The fibers of handlers, until their scopes are closed, the fibers that close these scopes, and those that log. */
  private readonly fibers = new LinkedQueue<HandlerFiber>()
  private readonly empty = new WaitSet()
  private scopes: Array<Scope.CloseableScope> = []
  /** The handler in which this `serve` runs. */
  private readonly outer: Handling | undefined
  private readonly freePlace = (): void => this.source.release(this)

  constructor(
    private readonly source: AcceptSource,
    private readonly handler: Handler<A, E, R>,
    readonly types: ReadonlySet<number> | undefined,
    /** Has no span, so that each handler starts a new trace: the caller's span lasts as long as the connection. */
    private readonly runner: Runner<Exclude<R, Scope.Scope>>,
    /** The number of handlers that may start now. */
    public free: number,
    private readonly resetCode: ((error: E) => number) | undefined
  ) {
    this.outer = handlingIn(runner.mark)
  }

  start(stream: StreamHandle): void {
    const scope = this.takeScope()
    const handling = new Handling(stream.session.connection, stream.core, this.outer, this.freePlace)
    const fiber = this.runner.forkIn(
      scope,
      handling,
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
      if (Exit.isSuccess(exit)) this.ended(running, stream, handling, exit)
      else this.close(running, stream, handling, scope, exit)
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

  /**
   * Closes the scope of a handler that did not succeed. A region that closes it always would slow down every handler.
   */
  private close(
    running: HandlerFiber,
    stream: StreamHandle,
    handling: Handling,
    scope: Scope.CloseableScope,
    exit: Exit.Exit<unknown, E>
  ): void {
    const closing = this.runner.forkAs(running.fiber, Effect.uninterruptible(Scope.close(scope, exit)))
    const closer = this.join(closing)
    onExit(closing, (closed) => {
      this.fibers.delete(closer)
      this.ended(running, stream, handling, Exit.zipLeft(exit, closed))
    })
  }

  /** Ends the stream of a handler that has ended and whose scope is closed. */
  private ended(running: HandlerFiber, stream: StreamHandle, handling: Handling, exit: Exit.Exit<unknown, E>): void {
    const coded = this.coded(exit)
    stream.endWith(coded.exit, coded.code)
    this.report(stream, coded.exit)
    handling.givePlace()
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

  /**
   * The code of the RST for a failed handler, and the handler's exit. If `resetCode` throws or returns no code, the
   * code is InternalError and the exit contains that defect too.
   */
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
      throw new RangeError(`resetCode must return an integer from 0 to 4294967295, not ${describeValue(code)}`)
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
      : failure._tag === "Some" && isMuxadoError(failure.value) && !isOwnMistake(failure.value)
        ? // the stream or the session ended: the end of the session has its own line
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

/** A message that this side cannot send is a mistake of the program, and the only sign of it is the log. */
const isOwnMistake = (error: MuxadoError): boolean => error._tag === "MessageInvalid" && error.initiator === "Local"

/** Running an effect costs more than making a scope, so one effect makes 32. */
const SCOPES = Effect.replicateEffect(Scope.make(), 32)
