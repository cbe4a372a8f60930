/** A supervised fiber for every stream that the peer opens. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { MuxStream } from "../MuxStream.js"
import type { Server, SessionRuntime } from "./sessionRuntime.js"
import type { StreamHandle } from "./streamHandle.js"

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
  Effect.scoped(
    Effect.gen(function* () {
      const fibers = yield* FiberSet.make<void>()
      const fork = yield* FiberSet.runtime(fibers)<Exclude<R, Scope.Scope>>()
      const server: Server = {
        free: concurrency,
        start: (stream) => {
          const fiber = fork(handle(stream, handler, () => session.release(server)))
          const interrupt = () => fiber.unsafeInterruptAsFork(FiberId.none)
          if (stream.core.failure === undefined) stream.onFailure = interrupt
          else interrupt()
        }
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => session.subscribe(server)),
        () => Effect.sync(() => session.unsubscribe(server))
      )
      yield* session.refusing
      yield* FiberSet.awaitEmpty(fibers)
    })
  )

/** The handler in a scope of its own, and the end of the stream that its exit asks for. */
const handle = <A, E, R>(
  stream: StreamHandle,
  handler: Handler<A, E, R>,
  done: () => void
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.exit(restore(Effect.scoped(Effect.suspend(() => handler(stream))))), (exit) => {
      stream.endWith(exit)
      done()
      return report(stream, exit)
    })
  )

const report = (stream: StreamHandle, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return Effect.void
  return Cause.isDie(exit.cause)
    ? Effect.logError(`The handler of stream ${stream.id} died`, exit.cause)
    : Effect.logDebug(`The handler of stream ${stream.id} failed`, exit.cause)
}
