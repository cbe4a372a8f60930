/**
 * How many bytes are written and read before the event loop gets a turn.
 *
 * @since 0.1.0
 */

/**
 * After this number of bytes without a turn of the event loop, a write waits for one.
 *
 * While the kernel accepts everything, a loop of writes runs in microtasks only. Then Node never polls its sockets, and
 * the session reads nothing, not even credit and heartbeats. `setImmediate` comes after the poll phase. With 256 KiB
 * between two of them, they cost far less than the writes.
 *
 * @since 0.1.0
 * @category constants
 */
export const BYTES_PER_TURN = 262_144

/**
 * After this number of delivered bytes without a turn of the event loop, the source is paused until the loop has
 * turned.
 *
 * @since 0.1.0
 * @category constants
 */
export const MAX_STRETCH = 1_048_576
