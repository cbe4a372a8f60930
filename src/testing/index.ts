/**
 * For tests of programs over muxado: a simulated network, virtual time, and a census of what a program leaves behind.
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
 * Two sessions with a simulated connection between them.
 *
 * @since 0.1.0
 * @category modules
 */
export * as SimulatedSessions from "./SimulatedSessions.js"

/**
 * A connection without a network, with faults.
 *
 * @since 0.1.0
 * @category modules
 */
export * as SimulatedTransport from "./SimulatedTransport.js"

/**
 * Virtual time that passes by itself.
 *
 * @since 0.1.0
 * @category modules
 */
export * as VirtualTime from "./VirtualTime.js"
