/** Starts the fibers of a session, and ends it: close, drain, and the end of its transport. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { FrameReaderService } from "../transport/frameReaderService.js"
import type { FrameWriterService } from "../transport/frameWriterService.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { TransportService } from "../transport/transportService.js"
import { forkOutside } from "../support/run.js"
import { failed } from "./failed.js"
import { readLoop } from "./reading.js"
import type { SessionState } from "./state.js"
import { tryWriteOf } from "./writing.js"

interface Parts {
  readonly reader: FrameReaderService
  readonly writer: FrameWriterService
  readonly transport: TransportService
  /** The time limit for sending the last bytes, and again for ending the transport. */
  readonly closeTimeout: Duration.Duration
}

interface Driver {
  readonly close: (code: number, debug: string) => Effect.Effect<void>
  readonly drain: (grace: Duration.DurationInput) => Effect.Effect<void>
}

export const drive = (session: SessionState, parts: Parts): Effect.Effect<Driver, never, Scope.Scope> =>
  Effect.gen(function* () {
    // a drain that has grace left allows this time for the last bytes
    let sending = parts.closeTimeout
    session.writing.tryWrite = tryWriteOf(parts.writer)
    const reading = yield* forkOutside(readLoop(session, parts.reader))
    const writing = yield* forkOutside(
      Effect.catchAllCause(session.writing.loop(parts.writer), (cause) =>
        Effect.sync(() => failed(session, "Write", cause))
      )
    )
    const timer = session.startTimer((cause) => failed(session, "Read", cause))
    const closeTransport = Effect.suspend(() => {
      const end = session.connection.end
      // a dead or failed transport cannot send the last frames
      if (end === undefined || end._tag === "Dead" || end._tag === "TransportFailed") return Effect.void
      session.writing.wake()
      // waits for the peer's end: if the socket is closed while the peer still sends, TCP can drop our last bytes
      const finish = guarded(() => parts.transport.end)
      const orderly = Effect.zipRight(Effect.zipRight(Fiber.await(writing), finish), Fiber.await(reading))
      return atMost(orderly, sending)
    })
    const destroy = guarded(() => parts.transport.destroy)
    const closing = yield* forkOutside(
      session.ended.await.pipe(
        Effect.zipRight(closeTransport),
        // if `destroy` does not complete in time, the session ends without it
        Effect.ensuring(atMost(Effect.disconnect(destroy), parts.closeTimeout)),
        Effect.ensuring(Fiber.interruptAll([reading, writing])),
        Effect.ensuring(timer.stop)
      )
    )
    const closeWithin = (limit: Duration.Duration, code: number, debug: string) =>
      Effect.suspend(() => {
        sending = Duration.max(parts.closeTimeout, limit)
        session.step((connection) => connection.close(code, debug))
        return atMost(session.ended.await, sending).pipe(
          Effect.zipRight(Effect.sync(() => session.step((connection) => connection.abort()))),
          Effect.zipRight(Fiber.await(closing)),
          Effect.asVoid
        )
      })
    const drain = (grace: Duration.DurationInput) =>
      Effect.suspend(() => {
        const deadline = session.now() + Duration.toMillis(grace)
        session.beginDraining()
        return atMost(session.idle.await, grace).pipe(
          Effect.zipRight(
            Effect.sync(() => {
              session.accepting.refuseAll()
              session.step((connection) => connection.resetAll(ErrorCode.StreamCancelled))
            })
          ),
          Effect.zipRight(
            Effect.suspend(() =>
              closeWithin(Duration.millis(Math.max(0, deadline - session.now())), ErrorCode.NoError, "")
            )
          )
        )
      })
    return { close: (code, debug) => closeWithin(parts.closeTimeout, code, debug), drain }
  })

/**
 * Makes and runs an effect of a transport. If the transport throws, dies or fails, it logs this, and the ending
 * continues.
 */
const guarded = (effect: () => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllCause(Effect.suspend(effect), (cause) =>
    Effect.logDebug("The transport of a session failed while the session closed it", cause)
  )

/**
 * Waits for an effect, at most for `limit`. Endings run in uninterruptible regions, so the effect is made
 * interruptible: otherwise the limit would have no effect.
 */
const atMost = <A>(effect: Effect.Effect<A>, limit: Duration.DurationInput): Effect.Effect<void> =>
  Effect.asVoid(Effect.timeoutOption(Effect.interruptible(effect), limit))
