/**
 * A heartbeat on the wire: one side sends 4 bytes on a stream of a reserved type, and the peer sends the same 4 bytes
 * back.
 *
 * Wire: `docs/PROTOCOL.md`, section 6.2.
 *
 * @since 0.1.0
 */

/**
 * The stream type that Go, Rust and this implementation reserve for heartbeats.
 *
 * @since 0.1.0
 * @category constants
 */
export const HEARTBEAT_TYPE = 0xffffffff

/**
 * The length of one heartbeat, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const HEARTBEAT_LENGTH = 4

/**
 * The 4 bytes of a stream type or of a heartbeat, most significant first.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeUint32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)

/**
 * Whether the first bytes of a stream are the heartbeat type.
 *
 * @since 0.1.0
 * @category queries
 */
export const beginsHeartbeats = (payload: Uint8Array): boolean =>
  payload[0] === 0xff && payload[1] === 0xff && payload[2] === 0xff && payload[3] === 0xff
