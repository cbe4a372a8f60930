/** A supervised fiber for every stream that the peer opens. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { MuxStream } from "../MuxStream.js"
import type { SessionRuntime } from "./sessionRuntime.js"
import type { StreamHandle } from "./streamHandle.js"

type Handler<A, E, R> = (stream: MuxStream) => Effect.Effect<A, E, R>

/**
 * Runs the handler for every accepted stream until no more will come, and completes when the last one has ended.
 * Interrupting it interrupts them all.
 */
export const serve = <A, E, R>(
  session: SessionRuntime,
  handler: Handler<A, E, R>,
  concurrency: number
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fibers = yield* FiberSet.make<void>()
      const permits = concurrency === Infinity ? undefined : yield* Effect.makeSemaphore(concurrency)
      const one = (stream: StreamHandle) => {
        const handled = handle(stream, handler)
        return permits === undefined ? handled : Effect.ensuring(handled, permits.release(1))
      }
      const next = Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          if (permits !== undefined) yield* restore(permits.take(1))
          const stream = yield* Effect.onError(session.accept(restore), () => permits?.release(1) ?? Effect.void)
          const fiber = yield* FiberSet.run(fibers, one(stream))
          const interrupt = () => fiber.unsafeInterruptAsFork(FiberId.none)
          if (stream.core.failure !== undefined) interrupt()
          else stream.onFailure = interrupt
        })
      )
      // it fails when the session accepts no more: that is the end of serving, not an error
      yield* Effect.ignore(Effect.forever(next))
      yield* FiberSet.awaitEmpty(fibers)
    })
  )

/**
 * The handler in a scope of its own, and the end of the stream that its exit asks for. It is forked where nothing may
 * interrupt, which a fiber inherits: the handler itself can be.
 */
const handle = <A, E, R>(
  stream: StreamHandle,
  handler: Handler<A, E, R>
): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.exit(Effect.interruptible(Effect.scoped(Effect.suspend(() => handler(stream))))), (exit) => {
      stream.endWith(exit)
      return report(stream, exit)
    })
  )

const report = (stream: StreamHandle, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return Effect.void
  return Cause.isDie(exit.cause)
    ? Effect.logError(`The handler of stream ${stream.id} died`, exit.cause)
    : Effect.logDebug(`The handler of stream ${stream.id} failed`, exit.cause)
}
