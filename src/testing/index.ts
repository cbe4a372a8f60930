/**
 * What tests of programs over muxado need: a network that is only simulated.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category modules
 */
export * as SimulatedTransport from "./SimulatedTransport.js"
