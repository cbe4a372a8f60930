/** Frames in: by a fiber, or by callbacks on the fast path, and received in turns on both. */
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
 * After this many frames of one batch, the fibers that they woke get a turn, and their answers leave: the peer works on them
 * while the rest is received. If all were received at once, the two sides would take turns instead.
 */
const FRAMES_PER_TURN = 16

/**
 * Frames in. It waits for the transport and for the turns of what has arrived, never for a write or for the application.
 * The next chunk is read when the last has been received. A callback may bring one more batch before that.
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
    // what came before the failure counts
    Effect.catchAllCause((cause) => Effect.map(receiver.rest, () => failed(session, "Read", cause)))
  )
}

/** Receives batches in order, some frames in each turn. The turns are tasks of the scheduler. */
class BatchReceiver {
  private batch: FrameBatch | undefined = undefined
  /** How many frames of `batch` were received. */
  private from = 0
  private readonly waiting = new Queue<FrameBatch>()
  private readonly done = new Signal()
  private fault: { readonly error: unknown } | undefined = undefined

  constructor(private readonly session: SessionState) {}

  /** Begins to receive a batch. False if an earlier one is not done: then no more should be given until `received`. */
  receive(batch: FrameBatch): boolean {
    if (this.fault !== undefined) return false
    return this.guard(() => {
      checkBatch(batch)
      // even a batch without a frame is heard, and may bring a deadline with it
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

  /** Waits until all batches were received. Dies if that cannot be. */
  readonly received: Effect.Effect<void> = Effect.suspend(() => {
    if (this.fault !== undefined) return Effect.die(this.fault.error)
    return this.batch === undefined ? Effect.void : Effect.zipRight(this.done.wait, this.received)
  })

  /** Waits until all batches were received, or that cannot be. */
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

  /** Nothing above would catch it: the medium and the scheduler call back. */
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

/** A reader may be somebody else's. */
const checkBatch = (batch: unknown): void => {
  if (typeof batch === "object" && batch !== null && "frames" in batch && Array.isArray(batch.frames)) return
  throw new TypeError(`a FrameReader must give { frames, midFrame }, not ${describe(batch)}`)
}
