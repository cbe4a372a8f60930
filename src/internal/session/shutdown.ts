/** The fibers that move a session: one in, one out, and one that waits for the end. `SessionTimer` has one for time. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { FrameBatch, FrameReaderService } from "../../FrameReader.js"
import type { FrameWriterService } from "../../FrameWriter.js"
import { TransportFailed } from "../../MuxadoError.js"
import { ErrorCode } from "../../protocol/wire/errorCode.js"
import type { TransportService } from "../../Transport.js"
import { describe } from "../support/describe.js"
import { directReader, directWriter } from "../transport/fastPath.js"
import { outsideScheduler } from "../support/outside.js"
import type { SessionState } from "./state.js"

interface Parts {
  readonly reader: FrameReaderService
  readonly writer: FrameWriterService
  readonly transport: TransportService
  /** How long sending the rest may take, and again the end of the transport. */
  readonly closeTimeout: Duration.Duration
}

interface Driver {
  readonly close: (code: number, debug: string) => Effect.Effect<void>
  readonly drain: (grace: Duration.DurationInput) => Effect.Effect<void>
}

/**
 * After this many frames of one chunk, the fibers that they woke get a turn, and their answers leave: the peer works on them
 * while the rest is received. If all were received at once, the two sides would take turns instead.
 */
const FRAMES_PER_TURN = 16

export const drive = (runtime: SessionState, parts: Parts): Effect.Effect<Driver, never, Scope.Scope> =>
  Effect.gen(function* () {
    // a drain that has grace left gives it to the last bytes, too
    let sending = parts.closeTimeout
    runtime.tryWrite = directWriter.get(parts.writer)
    const reading = yield* forkOutside(readLoop(runtime, parts.reader))
    const writing = yield* forkOutside(writeLoop(runtime, parts.writer))
    const timer = runtime.startTimer((cause) => failed(runtime, "Read", cause))
    const closeTransport = Effect.suspend(() => {
      const end = runtime.connection.end
      // nobody takes last words from a dead transport
      if (end === undefined || end._tag === "Dead" || end._tag === "TransportFailed") return Effect.void
      runtime.output.notify()
      // the peer's end is waited for: bytes that it still sends would make the medium drop our last ones
      const finish = guarded(() => parts.transport.end)
      const orderly = Effect.zipRight(Effect.zipRight(Fiber.await(writing), finish), Fiber.await(reading))
      return atMost(orderly, sending)
    })
    const destroy = guarded(() => parts.transport.destroy)
    const closing = yield* forkOutside(
      Deferred.await(runtime.ended).pipe(
        Effect.zipRight(closeTransport),
        // a medium that cannot even be destroyed is left to itself
        Effect.ensuring(atMost(Effect.disconnect(destroy), parts.closeTimeout)),
        Effect.ensuring(Fiber.interruptAll([reading, writing])),
        Effect.ensuring(timer.stop)
      )
    )
    const closeWithin = (limit: Duration.Duration, code: number, debug: string) =>
      Effect.suspend(() => {
        sending = Duration.max(parts.closeTimeout, limit)
        runtime.step((connection) => connection.close(code, debug))
        return atMost(Deferred.await(runtime.ended), sending).pipe(
          Effect.zipRight(Effect.sync(() => runtime.step((connection) => connection.abort()))),
          Effect.zipRight(Fiber.await(closing)),
          Effect.asVoid
        )
      })
    const drain = (grace: Duration.DurationInput) =>
      Effect.suspend(() => {
        const deadline = runtime.now() + Duration.toMillis(grace)
        runtime.beginDraining()
        return atMost(Deferred.await(runtime.idle), grace).pipe(
          Effect.zipRight(
            Effect.sync(() => {
              runtime.accepting.refuseAll()
              runtime.step((connection) => connection.resetAll(ErrorCode.StreamCancelled))
            })
          ),
          Effect.zipRight(
            Effect.suspend(() =>
              closeWithin(Duration.millis(Math.max(0, deadline - runtime.now())), ErrorCode.NoError, "")
            )
          )
        )
      })
    return { close: (code, debug) => closeWithin(parts.closeTimeout, code, debug), drain }
  })

/** A session outlives the request that starts it, so its fibers carry neither its async context nor its interruption. */
const forkOutside = <A>(effect: Effect.Effect<A>): Effect.Effect<Fiber.RuntimeFiber<A>, never, Scope.Scope> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.withScheduler(Effect.forkScoped(Effect.interruptible(effect)), outsideScheduler(fiber.currentScheduler))
  )

/** A user's transport may throw when its effect is made, or die in it: an ending goes on without it. */
const guarded = (effect: () => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllCause(Effect.suspend(effect), (cause) =>
    Effect.logDebug("The transport of a session failed while it was ended", cause)
  )

/** Frames in. It waits for the transport alone, never for a write or for the application. */
const readLoop = (runtime: SessionState, reader: FrameReaderService): Effect.Effect<void> => {
  const loop = Effect.suspend(() => reader.take).pipe(
    Effect.map((batch) => {
      checkBatch(batch)
      runtime.heard(batch)
      runtime.receive(batch.frames, 0, batch.frames.length)
    }),
    Effect.forever
  )
  const reading = directReader.get(reader)?.(receiverOf(runtime)) ?? loop
  return Effect.catchAllCause(reading, (cause) => Effect.sync(() => failed(runtime, "Read", cause)))
}

/** A reader may be somebody else's. */
const checkBatch = (batch: unknown): void => {
  if (typeof batch === "object" && batch !== null && "frames" in batch && Array.isArray(batch.frames)) return
  throw new TypeError(`a FrameReader must give { frames, midFrame }, not ${describe(batch)}`)
}

/** The same without a fiber: turns are tasks of the scheduler. */
const receiverOf = (runtime: SessionState): ((batch: FrameBatch) => void) => {
  let frames: FrameBatch["frames"] = []
  let from = 0
  const turn = (atOnce: number): void => {
    const start = from
    from = Math.min(frames.length, start + atOnce)
    runtime.receive(frames, start, from)
  }
  /** Nothing above would catch it: the medium and the scheduler call back. */
  const guard = (task: () => void): void => {
    try {
      task()
    } catch (error) {
      failed(runtime, "Read", Cause.die(error))
    }
  }
  // even a chunk that completes no frame is heard, and may bring a deadline with it
  const goOn = (): void => {
    turn(FRAMES_PER_TURN)
    if (from < frames.length) runtime.schedule(() => guard(goOn))
  }
  return (batch) =>
    guard(() => {
      // the next chunk was faster than the turns that are left of the last
      if (from < frames.length) turn(Infinity)
      runtime.heard(batch)
      frames = batch.frames
      from = 0
      goOn()
    })
}

/** Frames out: what gathered while the last batch was written goes as one. Ends with the session's last frame. */
const writeLoop = (runtime: SessionState, writer: FrameWriterService): Effect.Effect<void> => {
  const loop: Effect.Effect<void, TransportFailed> = Effect.suspend(() => {
    const frames = runtime.takeUnsent() ?? runtime.takeFrames()
    if (frames.length > 0) {
      return Effect.flatMap(writer.write(frames), () => {
        runtime.step((connection) => connection.written())
        return loop
      })
    }
    return runtime.connection.end === undefined ? Effect.zipRight(runtime.output.wait, loop) : Effect.void
  })
  return Effect.catchAllCause(loop, (cause) => Effect.sync(() => failed(runtime, "Write", cause)))
}

/**
 * A fiber of the session ends before the session has: a transport, reader or writer that throws, dies or interrupts
 * itself must end it as one that fails does, since nothing else would. The session interrupts
 * its fibers only after its end.
 */
const failed = (runtime: SessionState, reason: "Read" | "Write", cause: Cause.Cause<TransportFailed>): void => {
  if (runtime.connection.end !== undefined) return
  const error = Cause.isInterruptedOnly(cause)
    ? new Error(`the session's ${reason === "Read" ? "reader" : "writer"} interrupted itself`)
    : Cause.squash(cause)
  runtime.transportFailed(
    error instanceof TransportFailed
      ? error
      : new TransportFailed({ reason, cause: error, initiator: "Local", processed: "maybe" })
  )
}

/** Endings run where nothing may interrupt them; what they wait for must stay interruptible, or no limit would hold. */
const atMost = <A>(effect: Effect.Effect<A>, limit: Duration.DurationInput): Effect.Effect<void> =>
  Effect.asVoid(Effect.timeoutOption(Effect.interruptible(effect), limit))
