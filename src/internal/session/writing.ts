/**
 * Sends frames. Decides when they are written, in which batches, and by the writing fiber or a task of the scheduler.
 */
import * as Effect from "effect/Effect"
import type { FastPath, FrameWriterService } from "../transport/frameWriterService.js"
import { TransportFailed } from "../../MuxadoError.js"
import type { Connection } from "../../protocol/connection.js"
import type { Frame } from "../../protocol/wire/frame.js"
import { Piece } from "../../protocol/wire/frame.js"
import { describe } from "../support/describe.js"
import { Signal } from "../support/waiters.js"
import { fastPathOf } from "../transport/fastPath.js"
import type { SessionTotals } from "./stats.js"

/** The approximate number of stream bytes in one write. It limits the data that an urgent frame waits behind. */
const BATCH = 256 * 1024

/** Up to this number of queued bytes are written without waking the writing fiber. */
const DIRECT = 8 * 1024

/** The parts of the session that writing needs. */
interface Writes {
  readonly connection: Connection
  readonly totals: SessionTotals
  readonly now: () => number
  readonly step: <A>(f: (connection: Connection) => A) => A
  readonly schedule: (task: () => void) => void
  readonly transportFailed: (error: TransportFailed) => void
}

/**
 * Writes the frames of the connection. The writing fiber writes them, or a task of the scheduler if that fiber waits
 * and the transport accepts small batches at once. The two never write at the same time, so batches leave in the
 * order in which they were taken.
 */
export class Writing {
  /** Writes frames without waking a fiber, if the transport supports it. */
  tryWrite: FastPath["tryWrite"] | undefined = undefined

  /** Wakes the writing fiber. */
  private readonly output = new Signal()
  /** `Due`: a task that writes is scheduled. `Now`: it runs, and may have taken frames that are not written yet. */
  private flushing: "No" | "Due" | "Now" = "No"
  /** Frames that were taken from the core and that `tryWrite` did not write. */
  private unsent: ReadonlyArray<Frame> | undefined = undefined

  constructor(private readonly session: Writes) {}

  /**
   * Says that there are frames. They are written after all fibers that can run now, so that their frames leave
   * together.
   */
  announce(): void {
    // the task looks for more frames when it has written
    if (this.flushing !== "No") return
    if (this.tryWrite === undefined || !this.output.isAwaited) return this.output.notify()
    this.flushing = "Due"
    this.session.schedule(this.flush)
  }

  /** Wakes the writing fiber, which looks for frames and for the end of the session. */
  wake(): void {
    this.output.notify()
  }

  /**
   * Runs in the writing fiber. Frames that queue up during a write leave in the next one. Ends after the last frame.
   */
  loop(writer: FrameWriterService): Effect.Effect<void, TransportFailed> {
    const loop: Effect.Effect<void, TransportFailed> = Effect.suspend(() => {
      if (this.flushing === "Now") return Effect.zipRight(this.output.wait, loop)
      const frames = this.takeUnsent() ?? this.takeFrames()
      if (frames.length > 0) {
        return Effect.flatMap(writer.write(frames), () => {
          this.written()
          return loop
        })
      }
      return this.session.connection.end === undefined ? Effect.zipRight(this.output.wait, loop) : Effect.void
    })
    return loop
  }

  private readonly flush = (): void => {
    this.flushing = "Now"
    let isLeft = false
    try {
      isLeft = !this.writeNow()
    } catch (cause) {
      this.session.transportFailed(
        new TransportFailed({ reason: "Write", cause, initiator: "Local", processed: "maybe" })
      )
    }
    this.flushing = "No"
    // the fiber may have been woken while this wrote, and then it waits again
    if (isLeft || this.session.connection.end !== undefined) this.output.notify()
    else if (this.session.connection.hasFrames) this.announce()
  }

  /** Writes frames at once. Returns false if the writing fiber has to continue. */
  private writeNow(): boolean {
    const { tryWrite } = this
    // the writing fiber writes larger amounts, because it can wait for the transport
    if (tryWrite === undefined || !this.output.isAwaited || this.session.connection.queuedBytes > DIRECT) return false
    const frames = this.takeFrames()
    if (frames.length === 0) return true
    if (tryWrite(frames)) {
      this.written()
      return true
    }
    // copies the payloads: the application may detach their memory before the writing fiber runs
    this.unsent = frames.map(withOwnPayload)
    return false
  }

  private takeUnsent(): ReadonlyArray<Frame> | undefined {
    const { unsent } = this
    this.unsent = undefined
    return unsent
  }

  private takeFrames(): ReadonlyArray<Frame> {
    const frames = this.session.step((connection) => connection.takeFrames(BATCH, this.session.now()))
    for (const frame of frames) this.session.totals.sent(frame)
    return frames
  }

  private written(): void {
    this.session.step((connection) => connection.written())
  }
}

/** The `tryWrite` of a writer, if it has one. Throws if it does not return a boolean. */
export const tryWriteOf = (writer: FrameWriterService): FastPath["tryWrite"] | undefined => {
  const fastPath = fastPathOf(writer, ["tryWrite"])
  if (fastPath === undefined) return undefined
  return (frames) => {
    const written: unknown = fastPath.tryWrite(frames)
    // if it is unknown whether the frames were written, no other frame may follow
    if (typeof written !== "boolean")
      throw new TypeError(`tryWrite must return true or false, not ${describe(written)}`)
    return written
  }
}

const withOwnPayload = (frame: Frame): Frame =>
  frame._tag === "Data"
    ? new Piece(
        frame.streamId,
        frame.syn,
        frame.fin,
        frame.length,
        new Uint8Array(frame.payload),
        frame.first,
        frame.last
      )
    : frame
