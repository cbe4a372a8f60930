/**
 * The byte transport under a session: whole chunks are pulled from it, batches of chunks are written to it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { TransportFailed } from "./MuxadoError.js"

/**
 * A reliable, ordered, bidirectional byte transport.
 *
 * - `read` gives the next chunk (at least 1 byte), and fails with `TransportFailed`: `"Ended"` after the peer's orderly
 *   end, `"Read"` otherwise, again and again once it has failed. Only one fiber reads. Interrupting `read` loses no
 *   bytes. While nobody reads, the source is paused, or the adapter says that it cannot.
 * - `write` writes the chunks in order, as one write of the medium (writev, one WebSocket message), and completes when
 *   the medium is ready for more. Only one fiber writes. It fails, never hangs, once the transport has ended. The
 *   caller does not touch the bytes afterwards.
 * - `end` says that nothing more will be written: what was written is still delivered, and reading stays possible where
 *   the medium has a half-close. It may take as long as the medium does; it never fails.
 * - `destroy` drops the medium at once, and never waits: pending reads and writes fail. Closing the scope in which the
 *   transport was made does the same. Both are idempotent.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportService {
  readonly read: Effect.Effect<Uint8Array, TransportFailed>
  readonly write: (chunks: ReadonlyArray<Uint8Array>) => Effect.Effect<void, TransportFailed>
  readonly end: Effect.Effect<void>
  readonly destroy: Effect.Effect<void>
}

/**
 * The transport that a session runs over.
 *
 * @since 0.1.0
 * @category tags
 */
export class Transport extends Context.Tag("effect-muxado/Transport")<Transport, TransportService>() {}
