/** The interface of a reader of frames. */
import type * as Effect from "effect/Effect"
import type { TransportFailed } from "../../MuxadoError.js"
import type { InboundFrame } from "../../protocol/wire/frame.js"

/**
 * The frames that one chunk of the transport completed, or up to 64 KiB of it: none, if it ended within the first.
 * `midFrame` says whether it ended within a frame.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameBatch {
  /** In the order of the wire; a large DATA frame comes in pieces. */
  readonly frames: ReadonlyArray<InboundFrame>
  /** The bytes ended within a frame, of which the rest is still to come. */
  readonly midFrame: boolean
}

/**
 * Gives at least one batch for every chunk that arrives, so that each is proof of life. Fails with the transport's
 * `TransportFailed`, and stays failed. Bytes that are no frames come as a `Malformed` frame, after which there are no more.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameReaderService {
  /**
   * The next batch. Waits for the transport's next chunk. Fails with the transport's `TransportFailed`, again and again
   * once it has failed. Only one fiber takes.
   */
  readonly take: Effect.Effect<FrameBatch, TransportFailed>
  /** Batches without a fiber's turn. A copy of the reader does not have it. */
  readonly fastPath?: FastPath | undefined
}

/**
 * Frames without a fiber's turn. `each` calls `take` with each batch in the step in which its bytes arrive, and keeps every
 * promise that `FrameReaderService.take` makes. `take` gives `false` to ask for a pause: then `each` completes, and what it
 * has not handed over is for the next call. It fails with what `FrameReaderService.take` fails with, after the last batch.
 * Interrupting it loses nothing. `Transport.FastPath` says the same of chunks.
 *
 * A session uses the fast path of the object that `owner` is, and of no other object.
 *
 * @since 0.1.0
 * @category models
 */
export interface FastPath {
  /** The reader that offers it. */
  readonly owner: FrameReaderService
  /**
   * Calls `take` with each batch until `take` returns `false`. Fails with `TransportFailed` after the last batch, as
   * `FrameReaderService.take` does.
   */
  readonly each: (take: (batch: FrameBatch) => boolean) => Effect.Effect<void, TransportFailed>
}
