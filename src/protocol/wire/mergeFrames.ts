/**
 * Merges consecutive DATA frames of one stream.
 *
 * Wire: `docs/PROTOCOL.md`, section 2.
 *
 * @since 0.1.0
 */
import type { Data, Frame } from "./frame.js"
import { MAX_PAYLOAD_LENGTH, pieces } from "./frame.js"
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
    const end = frame._tag === "Data" ? endOfRun(frame, frames, i + 1) : i + 1
    if (end === i + 1) joined.push(frame)
    else joined.push(...pieces(frames.slice(i, end).filter((one) => one._tag === "Data")))
  }
  return joined
}

/** The index after the last frame that can be merged with `first`. `next` is the index after `first`. */
const endOfRun = (first: Data, frames: ReadonlyArray<Frame>, next: number): number => {
  if (first.syn || first.payload.length < WORTH_JOINING) return next
  let end = next
  let { length } = first.payload
  for (let last = first; !last.fin; end++) {
    const frame = frames[end]
    if (frame?._tag !== "Data" || frame.streamId !== first.streamId || frame.syn) break
    length += frame.payload.length
    if (length > MAX_PAYLOAD_LENGTH) break
    last = frame
  }
  return end
}
