/**
 * The results of a connection's commands.
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
 * The outcome of `read`: bytes, nothing yet, the peer's FIN after the last byte, or the reason why no more bytes come.
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
 * The outcome of `write`: the number of accepted bytes, or the reason why none will be accepted. If it is less than
 * all, a `Writable` event follows.
 *
 * @since 0.1.0
 * @category models
 */
export type WriteResult =
  number | { readonly _tag: "Finished" } | { readonly _tag: "Failed"; readonly failure: StreamFailure }

export const BLOCKED: ReadResult = { _tag: "Blocked" }
export const END: ReadResult = { _tag: "End" }
export const STOPPED: ReadResult = { _tag: "Stopped" }
export const FINISHED: WriteResult = { _tag: "Finished" }

/**
 * The outcome of `open`: the stream, or the reason why there is none. After `Full` an `OpenAvailable` event follows.
 *
 * @since 0.1.0
 * @category models
 */
export type OpenResult =
  | StreamCore
  | { readonly _tag: "Full" }
  | { readonly _tag: "Exhausted" }
  | { readonly _tag: "Over"; readonly end: SessionEnd }
