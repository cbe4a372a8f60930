/**
 * Fewer frames for the same bytes. Synchronous and total.
 *
 * Wire: `docs/PROTOCOL.md`, section 2.
 *
 * @since 0.1.0
 */
import type { Data, Frame } from "./frame.js"
import { MAX_PAYLOAD_LENGTH, pieces } from "./frame.js"
import { newArray } from "../collections/v8.js"

/** Shorter frames stay what they are: their headers cost little beside all else that they cost. */
const WORTH_JOINING = 8 * 1024

/**
 * The same batch, where DATA frames of one stream that follow one another, if they begin with a large one, are the
 * pieces of a single frame. Nothing urgent waits longer for it: nothing would come between the frames of a batch.
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

/** The place behind the last frame that can be one with `first`, which is before `next`. */
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
