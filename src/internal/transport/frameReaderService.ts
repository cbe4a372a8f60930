/** The interface of a reader of frames. */
import type * as Effect from "effect/Effect"
import type { TransportFailed } from "../../MuxadoError.js"
import type { InboundFrame } from "../../protocol/wire/frame.js"

/**
 * The frames decoded from one chunk of the transport, or from up to 64 KiB of it. The batch is empty if the bytes
 * complete no frame. `midFrame` is true if the bytes end inside a frame.
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
 * Returns at least one batch for every non-empty chunk, because every received byte is a sign of life. Fails with the
 * transport's `TransportFailed`. Every later call fails too. If the bytes are not valid frames, returns a `Malformed`
 * frame, and no frames after it.
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
  /** Reads batches without waking a fiber. A copy of the reader does not have it. */
  readonly fastPath?: FastPath | undefined
}

/**
 * Reads frames without waking a fiber. `each` calls `take` with each batch in the step in which its bytes arrive, and
 * keeps every guarantee of `FrameReaderService.take`. `take` returns `false` to ask for a pause. Then `each` completes,
 * and the next call delivers the rest. After the last batch, `each` fails as `FrameReaderService.take` does.
 * Interrupting it loses no frames. `Transport.FastPath` is the same for chunks.
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
