/**
 * Merges consecutive DATA frames of one stream.
 *
 * Wire: `docs/PROTOCOL.md`, section 2.
 *
 * @since 0.1.0
 */
import type { Data, Frame } from "./frame.js"
import { MAX_PAYLOAD_LENGTH, Piece } from "./frame.js"
import { newArray } from "../collections/v8.js"

/** Runs that start with a shorter frame are not merged: a header is a small part of the cost of such a frame. */
const WORTH_JOINING = 8 * 1024

/**
 * Returns the same batch, with each run of DATA frames of one stream as the pieces of one frame, if the run starts with
 * a large frame. Urgent frames do not wait longer: nothing is sent between the frames of a batch anyway.
 *
 * @since 0.1.0
 * @category encoding
 */
export const mergeFrames = (frames: ReadonlyArray<Frame>): ReadonlyArray<Frame> => {
  if (frames.length < 2) return frames
  const joined = newArray<Frame>()
  for (const [i, frame] of frames.entries()) {
    if (i < joined.length) continue
    if (startsRun(frame)) joined.push(...pieces(runFrom(frame, frames, i + 1)))
    else joined.push(frame)
  }
  return joined
}

const startsRun = (frame: Frame): frame is Data =>
  frame._tag === "Data" && !frame.syn && frame.payload.length >= WORTH_JOINING && isWhole(frame)

/** A piece of a frame is never merged, because the other pieces may be in another batch. */
const isWhole = (frame: Data): boolean => frame.first && frame.payload.length === frame.length

/** `first` and the frames that can be merged with it. `next` is the index after `first`. */
const runFrom = (first: Data, frames: ReadonlyArray<Frame>, next: number): ReadonlyArray<Data> => {
  const run = newArray<Data>()
  run.push(first)
  let { length } = first
  for (let at = next, last = first; !last.fin; at++) {
    const frame = frames[at]
    if (frame?._tag !== "Data" || frame.syn || frame.streamId !== first.streamId || !isWhole(frame)) break
    length += frame.length
    if (length > MAX_PAYLOAD_LENGTH) break
    run.push(frame)
    last = frame
  }
  return run
}

/** The frames of a run as the pieces of one frame, with the FIN of the last one. */
const pieces = (run: ReadonlyArray<Data>): ReadonlyArray<Data> => {
  const length = run.reduce((sum, frame) => sum + frame.length, 0)
  const fin = run.some((frame) => frame.fin)
  return run.map(
    ({ payload, streamId }, i) => new Piece(streamId, false, fin, length, payload, i === 0, i === run.length - 1)
  )
}
