/** Receives frames in turns, from a fiber or, on the fast path, from callbacks. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { FrameBatch, FrameReaderService } from "../transport/frameReaderService.js"
import { describe } from "../support/describe.js"
import { Queue } from "../support/queue.js"
import { Signal } from "../support/waiters.js"
import { fastPathOf, runEach } from "../transport/fastPath.js"
import { failed } from "./failed.js"
import type { SessionState } from "./state.js"

/**
 * After this many frames of one batch, the fibers that they woke get a turn, and their answers are sent. So the peer
 * works on these answers while this side receives the other frames. Otherwise each side would wait while the other
 * one works.
 */
const FRAMES_PER_TURN = 16

/**
 * Receives frames until the reader fails, and then ends the session. It waits for the transport and for the turns of
 * the frames that have arrived, never for a write or for the application. It reads the next chunk when all frames of
 * the last one have been received. A callback may bring one more batch before that.
 */
export const readLoop = (session: SessionState, reader: FrameReaderService): Effect.Effect<void> => {
  const receiver = new BatchReceiver(session)
  const fastPath = fastPathOf(reader, ["each"])
  const receive = (batch: FrameBatch): boolean => receiver.receive(batch)
  const reading =
    fastPath === undefined
      ? Effect.flatMap(
          Effect.suspend(() => reader.take),
          (batch) => {
            receive(batch)
            return receiver.received
          }
        )
      : Effect.flatMap(runEach("reader", fastPath, receive), () => receiver.received)
  return reading.pipe(
    Effect.forever,
    // frames that came before the failure are received first
    Effect.catchAllCause((cause) => Effect.map(receiver.rest, () => failed(session, "Read", cause)))
  )
}

/** Receives batches in order, some frames in each turn. The turns are tasks of the scheduler. */
class BatchReceiver {
  private batch: FrameBatch | undefined = undefined
  /** The number of frames of `batch` that were received. */
  private from = 0
  private readonly waiting = new Queue<FrameBatch>()
  private readonly done = new Signal()
  private fault: { readonly error: unknown } | undefined = undefined

  constructor(private readonly session: SessionState) {}

  /**
   * Begins to receive a batch. Returns false if an earlier batch is not done: then the next one waits for `received`.
   */
  receive(batch: FrameBatch): boolean {
    if (this.fault !== undefined) return false
    return this.guard(() => {
      checkBatch(batch)
      // also for a batch without a frame: its bytes show that the peer is alive, and may set a deadline
      this.session.heard(batch)
      if (this.batch !== undefined) {
        this.waiting.push(batch)
        return false
      }
      this.batch = batch
      this.turn(batch)
      return true
    })
  }

  /** Waits until all batches were received. Dies if one of them could not be received. */
  readonly received: Effect.Effect<void> = Effect.suspend(() => {
    if (this.fault !== undefined) return Effect.die(this.fault.error)
    return this.batch === undefined ? Effect.void : Effect.zipRight(this.done.wait, this.received)
  })

  /** Waits until all batches were received, or until one of them could not be received. */
  readonly rest: Effect.Effect<void> = Effect.suspend(() =>
    this.fault !== undefined || this.batch === undefined ? Effect.void : Effect.zipRight(this.done.wait, this.rest)
  )

  private turn({ frames }: FrameBatch): void {
    const start = this.from
    const end = Math.min(frames.length, start + FRAMES_PER_TURN)
    this.from = end
    this.session.receive(frames, start, end)
    if (end === frames.length) {
      this.batch = this.waiting.shift()
      this.from = 0
    }
    if (this.batch !== undefined) this.session.schedule(this.goOn)
    else this.done.notify()
  }

  private readonly goOn = (): void => {
    const { batch } = this
    if (batch === undefined || this.fault !== undefined) return
    this.guard(() => {
      this.turn(batch)
      return true
    })
  }

  /** Ends the session if `task` throws. The medium or the scheduler calls it, and neither handles an exception. */
  private guard(task: () => boolean): boolean {
    try {
      return task()
    } catch (error) {
      this.fault = { error }
      failed(this.session, "Read", Cause.die(error))
      this.done.notify()
      return false
    }
  }
}

/** Checks the result of a reader, because a program may provide its own. */
const checkBatch = (batch: unknown): void => {
  if (typeof batch === "object" && batch !== null && "frames" in batch && Array.isArray(batch.frames)) return
  throw new TypeError(`a FrameReader must return { frames, midFrame }, not ${describe(batch)}`)
}
