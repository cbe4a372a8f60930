/** Why an operation on one stream failed. */
import * as Data from "effect/Data"
import type { Initiator, Processed } from "../../protocol/endReason.js"
import type { ErrorCode } from "../../protocol/wire/errorCode.js"
import { showErrorCode } from "../../protocol/wire/errorCode.js"
import { hintFor } from "../support/errorText.js"
import type { Caused } from "./caused.js"

/**
 * One stream was reset. The session continues. `code` is any uint32. After a reset by the peer, the bytes that
 * arrived before it can still be read. A `reset` by this side drops them.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamReset extends Data.TaggedError("StreamReset")<
  Caused & {
    /** The id of the stream. */
    readonly streamId: number
    /** The code of the RST: any uint32. */
    readonly code: ErrorCode
  }
> {
  override get message(): string {
    const who = this.initiator === "Local" ? "this side" : "the peer"
    return `Stream ${this.streamId} was reset by ${who}: ${showErrorCode(this.code)}${hintFor(this.code)}`
  }
}

/**
 * The program used a stream after it ended that direction: it wrote after `finish`, or read after `stopReading` or
 * `close`.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamClosed extends Data.TaggedError("StreamClosed")<
  Caused & {
    /** The id of the stream. */
    readonly streamId: number
    /** What was called. */
    readonly operation: "read" | "write"
  }
> {
  override get message(): string {
    return `Stream ${this.streamId} is closed for ${this.operation === "read" ? "reading" : "writing"}`
  }
}

/**
 * The peer sent more than `maxBytes` to `readAll`. This side has reset the stream with StreamCancelled.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReadLimitExceeded extends Data.TaggedError("ReadLimitExceeded")<{
  /** The id of the stream. */
  readonly streamId: number
  /** The limit of the call, in bytes. */
  readonly maxBytes: number
}> {
  /** This side: the limit is its own. */
  readonly initiator: Initiator = "Local"
  /** `"maybe"`: the peer has sent an answer. */
  readonly processed: Processed = "maybe"

  override get message(): string {
    return `Stream ${this.streamId} brought more than ${this.maxBytes} bytes, which is the maxBytes of readAll`
  }
}
