/** Frames in: by a fiber, or by callbacks on the fast path. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { FrameBatch, FrameReaderService } from "../../FrameReader.js"
import { describe } from "../support/describe.js"
import { directReader } from "../transport/fastPath.js"
import { failed } from "./failed.js"
import type { SessionState } from "./state.js"

/**
 * After this many frames of one chunk, the fibers that they woke get a turn, and their answers leave: the peer works on them
 * while the rest is received. If all were received at once, the two sides would take turns instead.
 */
const FRAMES_PER_TURN = 16

/** Frames in. It waits for the transport alone, never for a write or for the application. */
export const readLoop = (session: SessionState, reader: FrameReaderService): Effect.Effect<void> => {
  const loop = Effect.suspend(() => reader.take).pipe(
    Effect.map((batch) => {
      checkBatch(batch)
      session.heard(batch)
      session.receive(batch.frames, 0, batch.frames.length)
    }),
    Effect.forever
  )
  const reading = directReader.get(reader)?.(receiverOf(session)) ?? loop
  return Effect.catchAllCause(reading, (cause) => Effect.sync(() => failed(session, "Read", cause)))
}

/** A reader may be somebody else's. */
const checkBatch = (batch: unknown): void => {
  if (typeof batch === "object" && batch !== null && "frames" in batch && Array.isArray(batch.frames)) return
  throw new TypeError(`a FrameReader must give { frames, midFrame }, not ${describe(batch)}`)
}

/** The same without a fiber: turns are tasks of the scheduler. */
const receiverOf = (session: SessionState): ((batch: FrameBatch) => void) => {
  let frames: FrameBatch["frames"] = []
  let from = 0
  const turn = (atOnce: number): void => {
    const start = from
    from = Math.min(frames.length, start + atOnce)
    session.receive(frames, start, from)
  }
  /** Nothing above would catch it: the medium and the scheduler call back. */
  const guard = (task: () => void): void => {
    try {
      task()
    } catch (error) {
      failed(session, "Read", Cause.die(error))
    }
  }
  // even a chunk that completes no frame is heard, and may bring a deadline with it
  const goOn = (): void => {
    turn(FRAMES_PER_TURN)
    if (from < frames.length) session.schedule(() => guard(goOn))
  }
  return (batch) =>
    guard(() => {
      // the next chunk was faster than the turns that are left of the last
      if (from < frames.length) turn(Infinity)
      session.heard(batch)
      frames = batch.frames
      from = 0
      goOn()
    })
}
