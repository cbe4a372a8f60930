/**
 * What the core tells the services. An event carries its stream and no data: the fiber that it wakes asks the core again.
 *
 * @since 0.1.0
 */
import type { SessionEnd, StreamFailure } from "./endReason.js"
import { newArray } from "./collections/v8.js"
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
 * - `OpenAvailable`: an `open` that found no room would now succeed.
 * - `Pong`, `PingLost`: a heartbeat was answered (round trip in milliseconds), or never will be.
 * - `GoneAway`: the peer sent GOAWAY.
 * - `Idle`: while draining, the last stream has ended and everything was sent.
 * - `Ended`: the session is over, and no event follows. What waits to open fails. A last GOAWAY may still be taken.
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

const NO_EVENTS: ReadonlyArray<Event> = []

/**
 * The events of one session that the services have not taken.
 *
 * @since 0.1.0
 * @category models
 */
export class EventQueue {
  private events: Array<Event> = newArray()

  emit(event: Event): void {
    this.events.push(event)
  }

  /** There is something to read, or an end: wakes the reader of a stream, if it waits. */
  readable(stream: StreamCore): void {
    if (stream.reading !== "Waiting") return
    stream.reading = "Ready"
    this.emit(new StreamEvent("Readable", stream))
  }

  take(): ReadonlyArray<Event> {
    if (this.events.length === 0) return NO_EVENTS
    const { events } = this
    this.events = newArray()
    return events
  }
}
