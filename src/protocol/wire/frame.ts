/**
 * The frames of the muxado wire as plain data, and the numbers of their layout.
 *
 * Wire: `docs/PROTOCOL.md`, section 2.
 *
 * @since 0.1.0
 */
import type { ErrorCode } from "./errorCode.js"

/**
 * The bytes before every payload: length (24 bits), type (4), flags (4), stream id (32).
 *
 * @since 0.1.0
 * @category constants
 */
export const HEADER_LENGTH = 8

/**
 * The longest payload that the 24-bit length can announce, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const MAX_PAYLOAD_LENGTH = 0xffffff

/**
 * The largest 31-bit number: the last stream id, and the largest window in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const MAX_UINT31 = 0x7fffffff

/**
 * The maximum number of debug bytes of a GOAWAY that are kept. A peer may send up to 16 MiB; the rest is skipped.
 *
 * @since 0.1.0
 * @category constants
 */
export const MAX_DEBUG_LENGTH = 1024

/** The longest text of a GOAWAY that this side sends, in bytes. */
const MAX_SENT_DEBUG = 256

/**
 * The frame types, in the upper 4 bits of the fourth header byte.
 *
 * @since 0.1.0
 * @category constants
 */
export const FrameType = { Rst: 0, Data: 1, WindowIncrement: 2, GoAway: 3 } as const

/**
 * The flags of a DATA frame, in the lower 4 bits of the fourth header byte.
 *
 * @since 0.1.0
 * @category constants
 */
export const Flag = { Fin: 1, Syn: 2 } as const

/**
 * Ends one stream at once, in both directions.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rst {
  readonly _tag: "Rst"
  /** The stream, 1 to 2,147,483,647. */
  readonly streamId: number
  /** Why: any uint32. */
  readonly code: ErrorCode
}

/**
 * A DATA frame, or a piece of one: the decoder returns a frame in pieces as its bytes arrive. The first piece has
 * `first` set and represents the header; its payload may be empty. The last one has `last` set, and only then does
 * `fin` take effect. `length` is the payload length of the whole frame, in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Data {
  readonly _tag: "Data"
  /** The stream, 1 to 2,147,483,647. */
  readonly streamId: number
  /** It opens the stream. */
  readonly syn: boolean
  /** It is the sender's last frame on the stream. */
  readonly fin: boolean
  /** Payload bytes of the whole frame, up to 16,777,215. */
  readonly length: number
  /** The payload, or this piece of it. */
  readonly payload: Uint8Array
  /** The piece that represents the header. */
  readonly first: boolean
  /** The piece that completes the frame. */
  readonly last: boolean
}

/**
 * Allows the receiver of this frame to send `increment` more payload bytes on the stream.
 *
 * @since 0.1.0
 * @category models
 */
export interface WindowIncrement {
  readonly _tag: "WindowIncrement"
  /** The stream, 1 to 2,147,483,647. */
  readonly streamId: number
  /** Payload bytes, 1 to 2,147,483,647. */
  readonly increment: number
}

/**
 * The sender accepts no more streams, and has not processed any stream of its peer above `lastStreamId`.
 *
 * @since 0.1.0
 * @category models
 */
export interface GoAway {
  readonly _tag: "GoAway"
  /** The highest stream of the peer that may have been processed; 0 for none. */
  readonly lastStreamId: number
  /** Why: any uint32. */
  readonly code: ErrorCode
  /** A text for a person, in UTF-8. Its last character may be incomplete. */
  readonly debug: Uint8Array
}

/**
 * A frame of a type that this version does not know. Its payload is skipped. An empty one is sent after each GOAWAY,
 * because Go's reader reads 8 bytes too many.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unknown {
  readonly _tag: "Unknown"
  /** 0 to 15. */
  readonly type: number
  /** 0 to 15. */
  readonly flags: number
  /** 0 to 2,147,483,647. */
  readonly streamId: number
  /** Payload bytes, which are skipped. */
  readonly length: number
}

/**
 * Bytes that break a rule of the wire and end the session, detected by the frame's header alone. Nothing after them is
 * decoded.
 *
 * @since 0.1.0
 * @category models
 */
export interface Malformed {
  readonly _tag: "Malformed"
  /** The code of the GOAWAY with which the session answers. */
  readonly code: ErrorCode
  /** The type of the frame, 0 to 15. */
  readonly type: number
  /** The stream of the frame; 0 for none. */
  readonly streamId: number
  /** The payload length that the header announces, in bytes. */
  readonly length: number
  /** The broken rule, as a text. */
  readonly message: string
}

/**
 * A frame that can be sent.
 *
 * @since 0.1.0
 * @category models
 */
export type Frame = Rst | Data | WindowIncrement | GoAway | Unknown

/**
 * A result of decoding: a frame, or invalid bytes.
 *
 * @since 0.1.0
 * @category models
 */
export type InboundFrame = Frame | Malformed

const NO_BYTES: Uint8Array = new Uint8Array(0)

/**
 * DATA, or a piece of it, made by a class and not by a literal: see `collections/v8.ts`.
 *
 * @since 0.1.0
 * @category constructors
 */
export class Piece implements Data {
  readonly _tag = "Data"

  constructor(
    readonly streamId: number,
    readonly syn: boolean,
    readonly fin: boolean,
    readonly length: number,
    readonly payload: Uint8Array,
    readonly first: boolean,
    readonly last: boolean
  ) {}
}

/**
 * An RST. `code` is any uint32.
 *
 * @since 0.1.0
 * @category constructors
 */
export const rst = (streamId: number, code: ErrorCode): Rst => ({ _tag: "Rst", streamId, code })

/**
 * A whole DATA frame.
 *
 * @since 0.1.0
 * @category constructors
 */
export const data = (
  streamId: number,
  payload: Uint8Array = NO_BYTES,
  flags: { readonly syn?: boolean; readonly fin?: boolean } = {}
): Data => new Piece(streamId, flags.syn === true, flags.fin === true, payload.length, payload, true, true)

/**
 * A WNDINC. `increment` is in bytes, 1 to 2,147,483,647.
 *
 * @since 0.1.0
 * @category constructors
 */
export const windowIncrement = (streamId: number, increment: number): WindowIncrement => ({
  _tag: "WindowIncrement",
  streamId,
  increment
})

/**
 * A GOAWAY. Send `goAwayFiller` after it: Go peers before 2.0.2 need it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const goAway = (lastStreamId: number, code: ErrorCode, debug: Uint8Array = NO_BYTES): GoAway => ({
  _tag: "GoAway",
  lastStreamId,
  code,
  debug
})

/**
 * The 8 bytes `000000f000000000`, an empty frame of unknown type. Send it after every GOAWAY.
 *
 * @since 0.1.0
 * @category constructors
 */
export const goAwayFiller: Unknown = { _tag: "Unknown", type: 15, flags: 0, streamId: 0, length: 0 }

/**
 * The debug bytes of a GOAWAY that this side sends: UTF-8 of at most 256 bytes, never cut inside a character.
 *
 * @since 0.1.0
 * @category constructors
 */
export const debugBytes = (text: string): Uint8Array => {
  const bytes = new Uint8Array(MAX_SENT_DEBUG)
  return bytes.slice(0, new TextEncoder().encodeInto(text, bytes).written)
}

/**
 * The text of a GOAWAY's debug bytes, without an incomplete last character.
 *
 * @since 0.1.0
 * @category rendering
 */
export const debugText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes, { stream: true })
