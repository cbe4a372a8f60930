/** The error of a message that cannot be sent or received. */
import * as Data from "effect/Data"
import type { Initiator, Processed } from "../../protocol/endReason.js"
import { said } from "../support/errorText.js"

/** The characters of a cause that a message shows. A cause may contain the whole value. */
const SHOWN = 300

/**
 * A message of `Messages` could not be sent or received.
 *
 * - `"Encode"`: the value does not match the schema, or the format cannot express it. Nothing was written, and the
 *   stream goes on.
 * - `"TooLarge"`: the message has more than `maxBytes` bytes. `size` says how many: those of a line that has not ended
 *   are the ones that have arrived. A message to send was not written, and the stream goes on. A received one has reset
 *   the stream.
 * - `"Decode"`: the bytes are no message of the format, or the value does not match the schema. The stream was reset.
 * - `"Incomplete"`: the peer ended the stream inside a message, after `size` bytes of it, or without a message where
 *   one had to come. The stream was reset.
 *
 * A stream is reset with StreamCancelled. Every later call that receives fails with the same error. `cause` is the
 * `ParseError` of the schema, or what the parser of the format threw.
 *
 * @since 0.1.0
 * @category errors
 */
export class MessageInvalid extends Data.TaggedError("MessageInvalid")<{
  /** What is wrong. */
  readonly reason: "Encode" | "Decode" | "TooLarge" | "Incomplete"
  /** Whether this side was to send the message, or has received it. */
  readonly direction: "Send" | "Receive"
  /** The id of the stream; `undefined` if the message was to open it. */
  readonly streamId: number | undefined
  /** The size of the message in bytes, without what delimits it, for `"TooLarge"` and `"Incomplete"`. */
  readonly size?: number | undefined
  /** The limit in bytes, for `"TooLarge"`. */
  readonly maxBytes?: number | undefined
  /** The `ParseError` of the schema, or the error of the format. */
  readonly cause?: unknown
}> {
  /** The side that made the message. */
  get initiator(): Initiator {
    return this.direction === "Send" ? "Local" : "Remote"
  }

  /** `"no"` for a message to send, which was not written; `"maybe"` for a received one. */
  get processed(): Processed {
    return this.direction === "Send" ? "no" : "maybe"
  }

  override get message(): string {
    const stream = this.streamId === undefined ? "a new stream" : `stream ${this.streamId}`
    const whose = this.direction === "Send" ? `A message for ${stream}` : `A message of ${stream}`
    const { cause, maxBytes = 0, size = 0 } = this
    switch (this.reason) {
      case "Encode":
        return `${whose} cannot be encoded${shown(cause)}`
      case "Decode":
        return `${whose} cannot be decoded${shown(cause)}`
      case "TooLarge":
        return `${whose} has ${size} bytes${this.direction === "Send" ? "" : " or more"}, and maxBytes is ${maxBytes}`
      case "Incomplete":
        return size === 0 ? `The peer ended ${stream} without a message` : `${whose} ended after ${size} bytes`
    }
  }
}

const shown = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : ""
  return said(text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text)
}
