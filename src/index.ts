/**
 * muxado stream multiplexing as an Effect service layer. This entry runs everywhere, also in browsers. The modules that
 * need Node are in `effect-muxado/node`.
 *
 * @module
 * @since 0.1.0
 */

/**
 * The codes that RST and GOAWAY carry.
 *
 * @since 0.1.0
 */
export { ErrorCode, errorCodeName } from "./ErrorCode.js"

/**
 * The frames of the wire as data: what a `FrameReader` gives and a `FrameWriter` takes.
 *
 * @since 0.1.0
 */
export * as Frame from "./Frame.js"

/**
 * Logs every frame.
 *
 * @since 0.1.0
 */
export * as FrameLog from "./FrameLog.js"

/**
 * Decodes byte chunks into batches of frames.
 *
 * @since 0.1.0
 */
export * as FrameReader from "./FrameReader.js"

/**
 * Encodes batches of frames and writes them to the transport.
 *
 * @since 0.1.0
 */
export * as FrameWriter from "./FrameWriter.js"

/**
 * A session that connects, reconnects and moves.
 *
 * @since 0.1.0
 */
export * as ManagedSession from "./ManagedSession.js"

/**
 * The tagged errors.
 *
 * @since 0.1.0
 */
export * as MuxadoError from "./MuxadoError.js"

/**
 * One stream of a session.
 *
 * @since 0.1.0
 */
export * as MuxStream from "./MuxStream.js"

/**
 * One session over one transport.
 *
 * @since 0.1.0
 */
export * as Session from "./Session.js"

/**
 * The options of a session and of a server, and of the budgets among them.
 *
 * @since 0.1.0
 */
export type { RateOptions, ServerOptions, SessionOptions } from "./SessionOptions.js"

/**
 * A listener whose connections are sessions.
 *
 * @since 0.1.0
 */
export * as SessionServer from "./SessionServer.js"

/**
 * The byte transport under a session.
 *
 * @since 0.1.0
 */
export * as Transport from "./Transport.js"
