/**
 * Transports of Node.
 *
 * @module
 * @since 0.1.0
 */

/**
 * TCP, TLS, unix sockets and Duplexes as transports.
 *
 * @since 0.1.0
 * @category modules
 */
export * as NodeTransport from "./NodeTransport.js"

/**
 * Listeners whose connections are sessions.
 *
 * @since 0.1.0
 */
export * as NodeSessionServer from "./NodeSessionServer.js"
