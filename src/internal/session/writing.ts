/** Frames out: when they are written, in which batches, and by whom. */
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

/** About how many bytes of streams go into one write: an urgent frame must not wait behind more. */
const BATCH = 256 * 1024

/** Up to this many bytes that wait are written without the writer's turn. */
const DIRECT = 8 * 1024

/** What writing needs of its session. */
interface Writes {
  readonly connection: Connection
  readonly totals: SessionTotals
  readonly now: () => number
  readonly step: <A>(f: (connection: Connection) => A) => A
  readonly schedule: (task: () => void) => void
  readonly transportFailed: (error: TransportFailed) => void
}

/**
 * Writes what the connection has to send. The writing fiber does it, or a task of the scheduler while that fiber waits and
 * the transport takes small batches at once. Never both: batches leave in the order in which they were taken.
 */
export class Writing {
  /** Writes frames without a fiber's turn, where the transport can. */
  tryWrite: FastPath["tryWrite"] | undefined = undefined

  /** There are frames to write. */
  private readonly output = new Signal()
  /** Whether a task is scheduled that writes, or writes in this moment: it has frames then that are not written yet. */
  private flushing: "No" | "Due" | "Now" = "No"
  /** Frames that were taken, and that the transport did not take at once. */
  private unsent: ReadonlyArray<Frame> | undefined = undefined

  constructor(private readonly session: Writes) {}

  /** There are frames. They are written after all that have something to write now, so that it goes as one. */
  announce(): void {
    // looks again when it has written
    if (this.flushing !== "No") return
    if (this.tryWrite === undefined || !this.output.isAwaited) return this.output.notify()
    this.flushing = "Due"
    this.session.schedule(this.flush)
  }

  /** Lets the writing fiber look for frames, and for the end of the session. */
  wake(): void {
    this.output.notify()
  }

  /** What gathered while the last batch was written goes as one. Ends with the session's last frame. */
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
    // the fiber may have been woken meanwhile, and waits again
    if (isLeft || this.session.connection.end !== undefined) this.output.notify()
    else if (this.session.connection.hasFrames) this.announce()
  }

  /** False if the writing fiber has to go on. */
  private writeNow(): boolean {
    const { tryWrite } = this
    // bulk is the writer's: it waits for the transport
    if (tryWrite === undefined || !this.output.isAwaited || this.session.connection.queuedBytes > DIRECT) return false
    const frames = this.takeFrames()
    if (frames.length === 0) return true
    if (tryWrite(frames)) {
      this.written()
      return true
    }
    // the writer comes later, and the application may have detached their memory by then
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

/** The writer's way without a fiber's turn, if it has one. */
export const tryWriteOf = (writer: FrameWriterService): FastPath["tryWrite"] | undefined => {
  const fastPath = fastPathOf(writer, ["tryWrite"])
  if (fastPath === undefined) return undefined
  return (frames) => {
    const written: unknown = fastPath.tryWrite(frames)
    // if it is unknown whether the frames were written, nothing can follow
    if (typeof written !== "boolean") throw new TypeError(`tryWrite must give true or false, not ${describe(written)}`)
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
