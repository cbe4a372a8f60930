/**
 * The codes that RST and GOAWAY carry, and their names.
 *
 * Wire: `docs/PROTOCOL.md`, section 2.7.
 *
 * @module
 * @since 0.1.0
 */

export { ErrorCode, errorCodeName } from "./protocol/wire/errorCode.js"
