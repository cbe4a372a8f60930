/**
 * What the core tells the services. Events carry streams, not data: the fiber that is woken asks again.
 *
 * @since 0.1.0
 */
import type { SessionEnd, StreamFailure } from "./endReason.js"
import type { StreamCore } from "./streams/streamCore.js"

/**
 * An event of a stream, made by a class and not by a literal: see `collections/v8.ts`.
 *
 * @since 0.1.0
 * @category constructors
 */
export class StreamEvent<Tag extends "Opened" | "Readable" | "Writable" | "Finished" | "Failed" | "BytesLost"> {
  constructor(
    readonly _tag: Tag,
    readonly stream: StreamCore
  ) {}
}

/**
 * - `Opened`: the peer opened a stream, and its type is known.
 * - `Readable`, `Writable`: the stream's last read or write was refused, and would now do something.
 * - `Finished`: the stream left the table, both directions ended in order.
 * - `Failed`: the stream left the table, and `failure` says why.
 * - `BytesLost`: bytes that the application had written were detached before they were sent; `Failed` follows.
 * - `OpenAvailable`: an `open` that was refused for want of room would now succeed.
 * - `Pong`, `PingLost`: a heartbeat was answered (round trip in milliseconds), or never will be.
 * - `GoneAway`: the peer sent GOAWAY.
 * - `Idle`: while draining, the last stream has ended and everything was sent.
 * - `Ended`: the session is over; the frames that are left (a GOAWAY) may still be taken.
 *
 * @since 0.1.0
 * @category models
 */
export type Event =
  | StreamEvent<"Opened">
  | StreamEvent<"Readable">
  | StreamEvent<"Writable">
  | StreamEvent<"Finished">
  | StreamEvent<"Failed">
  | StreamEvent<"BytesLost">
  | { readonly _tag: "OpenAvailable" }
  | { readonly _tag: "Pong"; readonly nonce: number; readonly roundTrip: number }
  | {
      readonly _tag: "PingLost"
      readonly nonce: number
      readonly streamId: number
      readonly failure: StreamFailure
    }
  | { readonly _tag: "GoneAway"; readonly lastStreamId: number; readonly code: number }
  | { readonly _tag: "Idle" }
  | { readonly _tag: "Ended"; readonly end: SessionEnd }
