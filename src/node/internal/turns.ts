/**
 * How much is written and read before the event loop gets a turn.
 *
 * @since 0.1.0
 */

/**
 * The bytes written without a turn of the event loop after which a write waits for one.
 *
 * While the kernel takes everything, a loop of writes goes on in microtasks alone: Node never polls, and reading (the
 * peer's credit and heartbeats with it) stands still for as long as there is something to write. `setImmediate` comes
 * after the poll phase, and 256 KiB keeps its cost far below that of the writes.
 *
 * @since 0.1.0
 * @category constants
 */
export const BYTES_PER_TURN = 262_144

/**
 * The bytes handed over without a turn of the event loop after which the source is paused until it has turned.
 *
 * @since 0.1.0
 * @category constants
 */
export const MAX_STRETCH = 1_048_576
