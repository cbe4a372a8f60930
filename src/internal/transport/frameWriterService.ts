/** The interface of a writer of frames. */
import type * as Effect from "effect/Effect"
import type { TransportFailed } from "../../MuxadoError.js"
import type { Frame } from "../../protocol/wire/frame.js"

/**
 * Writes a batch of frames as one write of the transport. Completes when the transport is ready for more. Fails with
 * the transport's `TransportFailed`. Consecutive large DATA frames (8 KiB or more at the start of the run) of one
 * stream are sent as one frame.
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
  /** Writes without waking a fiber. A copy of the writer does not have it. */
  readonly fastPath?: FastPath | undefined
}

/**
 * Writes frames without waking a fiber. `tryWrite` writes the whole batch at once and returns `true`, or writes nothing
 * and returns `false`. The session never calls it during a `write`. `Transport.FastPath` is the same for chunks.
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
