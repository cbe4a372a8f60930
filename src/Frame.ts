/**
 * The frames of the wire as data: what a `FrameReader` returns and a `FrameWriter` takes.
 *
 * Wire: `docs/PROTOCOL.md`, sections 2 and 3.
 *
 * @module
 * @since 0.1.0
 */

export type {
  Data,
  Frame,
  GoAway,
  InboundFrame,
  Malformed,
  Rst,
  Unknown,
  WindowIncrement
} from "./protocol/wire/frame.js"

export {
  data,
  debugText,
  Flag,
  FrameType,
  goAway,
  goAwayFiller,
  HEADER_LENGTH,
  MAX_PAYLOAD_LENGTH,
  MAX_UINT31,
  rst,
  windowIncrement
} from "./protocol/wire/frame.js"
