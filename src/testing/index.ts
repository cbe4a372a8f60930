/**
 * What tests of programs over muxado need: a network that is only simulated, time that is only virtual, and a census of
 * what is left behind.
 *
 * @module
 * @since 0.1.0
 */

/**
 * What a program leaves behind.
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
 * A connection without a network, and what can go wrong with it.
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
