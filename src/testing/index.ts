/**
 * For tests of programs that use muxado: a simulated network, virtual time, and a census of what a program leaves
 * behind.
 *
 * @module
 * @since 0.1.0
 */

/**
 * Finds what a program leaves behind.
 *
 * @since 0.1.0
 * @category modules
 */
export * as Census from "./Census.js"

/**
 * Two sessions over a simulated connection.
 *
 * @since 0.1.0
 * @category modules
 */
export * as SimulatedSessions from "./SimulatedSessions.js"

/**
 * A simulated connection, with faults.
 *
 * @since 0.1.0
 * @category modules
 */
export * as SimulatedTransport from "./SimulatedTransport.js"

/**
 * Virtual time that advances by itself.
 *
 * @since 0.1.0
 * @category modules
 */
export * as VirtualTime from "./VirtualTime.js"
