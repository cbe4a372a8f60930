/**
 * The events from the core to the services. An event names its stream and has no data: the woken fiber calls the core
 * again.
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
 * - `Readable`, `Writable`: the stream's last read or write was blocked, and would now make progress.
 * - `Finished`: both directions of the stream ended in order, and it left the table.
 * - `Failed`: the stream failed. Its `failure` is the reason.
 * - `BytesLost`: the memory of a live stream's bytes was detached before they were sent or read. The stream is reset.
 * - `OpenAvailable`: an `open` that returned `Full` would now succeed.
 * - `Pong`, `PingLost`: a heartbeat was answered (with the round trip in milliseconds), or can no longer be answered.
 * - `GoneAway`: the peer sent GOAWAY.
 * - `Idle`: the session drains, its last stream has ended, and everything was sent.
 * - `Ended`: the session is over, and no event follows. A waiting `open` fails. `takeFrames` may still return a last
 *   GOAWAY.
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

  /** Wakes the reader of a stream, if it waits: bytes or the end have arrived. */
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
