/**
 * A way around the turn of a fiber that each chunk costs otherwise, for media that call back.
 *
 * It belongs to the very object that it was offered for. What stands between a session and its transport, if only a copy
 * of the transport with another `write`, gets every chunk the ordinary way.
 */
import type * as Effect from "effect/Effect"
import type { FrameBatch, FrameReaderService } from "../../FrameReader.js"
import type { FrameWriterService } from "../../FrameWriter.js"
import type { TransportFailed } from "../../MuxadoError.js"
import type { Frame } from "../../protocol/wire/frame.js"
import type { TransportService } from "../../Transport.js"

/**
 * For `read` over and over: hands everything to `take` in the very step in which it arrives, and fails when `read`
 * would. `take` never throws. Nothing else reads meanwhile; interrupting it loses nothing.
 */
export type Each<A> = (take: (a: A) => void) => Effect.Effect<never, TransportFailed>

/**
 * Writes if the medium takes all of it at once and is ready for more; else it gives false, and has written nothing. It
 * is not called while a `write` is under way.
 */
export type TryWrite<A> = (as: ReadonlyArray<A>) => boolean

export interface DirectTransport {
  /** Chunks of any length. */
  readonly each: Each<Uint8Array>
  readonly tryWrite: TryWrite<Uint8Array>
}

export const directTransport = new WeakMap<TransportService, DirectTransport>()
export const directReader = new WeakMap<FrameReaderService, Each<FrameBatch>>()
export const directWriter = new WeakMap<FrameWriterService, TryWrite<Frame>>()
