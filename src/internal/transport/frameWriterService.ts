/** The interface of a writer of frames. */
import type * as Effect from "effect/Effect"
import type { TransportFailed } from "../../MuxadoError.js"
import type { Frame } from "../../protocol/wire/frame.js"

/**
 * Writes a batch of frames as one write of the transport, and completes when that is ready for more; fails with the
 * transport's `TransportFailed`. Large DATA frames of one stream that follow one another go as a single frame.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameWriterService {
  /**
   * Writes the frames in order, as one write of the transport. Completes when that is ready for more. Fails with the
   * transport's `TransportFailed`. Only one fiber writes.
   */
  readonly write: (frames: ReadonlyArray<Frame>) => Effect.Effect<void, TransportFailed>
  /** Writing without a fiber's turn. A copy of the writer does not have it. */
  readonly fastPath?: FastPath | undefined
}

/**
 * Frames out without a fiber's turn. `tryWrite` writes the whole batch at once and gives `true`, or writes nothing and gives
 * `false`. It is never called while a `write` is under way. `Transport.FastPath` says the same of chunks.
 *
 * A session uses the fast path of the object that `owner` is, and of no other object.
 *
 * @since 0.1.0
 * @category models
 */
export interface FastPath {
  /** The writer that offers it. */
  readonly owner: FrameWriterService
  /** Writes all frames now and returns `true`, or writes nothing and returns `false`. */
  readonly tryWrite: (frames: ReadonlyArray<Frame>) => boolean
}
