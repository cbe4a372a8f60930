/**
 * Clients, servers and transports of sessions for Node.
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
 * Servers on TCP, TLS and unix sockets. Each connection is a session.
 *
 * @since 0.1.0
 * @category modules
 */
export * as NodeSessionServer from "./NodeSessionServer.js"

/**
 * Clients over TCP, TLS, unix sockets and WebSockets, which connect again by themselves.
 *
 * @since 0.1.0
 * @category modules
 */
export * as NodeSession from "./NodeSession.js"
