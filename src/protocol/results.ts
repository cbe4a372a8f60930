/**
 * What the commands of a connection answer. Pure data.
 *
 * @since 0.1.0
 */
import type { SessionEnd, StreamFailure } from "./endReason.js"
import type { StreamCore } from "./streams/streamCore.js"

/**
 * Bytes that were read, made by a class and not by a literal: see `collections/v8.ts`.
 *
 * @since 0.1.0
 * @category constructors
 */
export class BytesRead {
  readonly _tag = "Bytes"

  constructor(readonly bytes: Uint8Array) {}
}

/**
 * The outcome of `read`: bytes, nothing yet, the peer's FIN after the last byte, or why there will be no more.
 *
 * @since 0.1.0
 * @category models
 */
export type ReadResult =
  | BytesRead
  | { readonly _tag: "Blocked" }
  | { readonly _tag: "End" }
  | { readonly _tag: "Stopped" }
  | { readonly _tag: "Failed"; readonly failure: StreamFailure }

/**
 * The outcome of `write`: how many of the bytes were taken (0 and up; a `Writable` event follows when it was not all
 * of them), or why none will be.
 *
 * @since 0.1.0
 * @category models
 */
export type WriteResult =
  number | { readonly _tag: "Finished" } | { readonly _tag: "Failed"; readonly failure: StreamFailure }

/**
 * The outcome of `open`: the stream, or why not (`Full`: an `OpenAvailable` event follows).
 *
 * @since 0.1.0
 * @category models
 */
export type OpenResult =
  | StreamCore
  | { readonly _tag: "Full" }
  | { readonly _tag: "Exhausted" }
  | { readonly _tag: "Over"; readonly end: SessionEnd }

/**
 * Numbers for people, all 0 at rest except the last four.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionStats {
  /** Live streams of the peer, without heartbeats. */
  readonly inboundStreams: number
  /** Live streams of this side, without heartbeats. */
  readonly outboundStreams: number
  /** Streams of the peer that the application has not accepted yet. */
  readonly backlog: number
  /** Payload bytes accepted from the application and not yet handed to the transport. */
  readonly queuedBytes: number
  /** Received bytes that the application has not read, in streams that are alive on the wire. */
  readonly bufferedBytes: number
  /** The same, with those of streams that are over on the wire and can still be read. */
  readonly heldBytes: number
  /** By how much the receive windows of live streams have grown. */
  readonly grownBytes: number
  /** Gaps in the peer's stream ids that are remembered. */
  readonly idGaps: number
  /** Live streams, heartbeats included. */
  readonly tableSize: number
  /** What is charged to the peer's budgets: see `SessionOptions`. It runs out with time, but for the increments. */
  readonly charged: {
    /** Of `resetBudget`. */
    readonly resets: number
    /** Of `refusalBudget`. */
    readonly refusals: number
    /** Of `uselessFrameBudget`. */
    readonly uselessFrames: number
    /** Of `spareIncrements`. */
    readonly increments: number
  }
  /** Round trip of the last heartbeat in milliseconds. */
  readonly roundTrip: number | undefined
}
