/** Writes of a stream that wait: for an earlier write, for the peer's window, or for the session's send buffer. */
import * as Exit from "effect/Exit"
import type { StreamError } from "../../MuxadoError.js"
import type { Resume } from "../support/park.js"

/** A write, or a finish, that waits. */
export interface PendingWrite {
  readonly bytes: Uint8Array
  /** The length of `bytes` when the write began. If `bytes.length` is smaller later, the memory was detached. */
  readonly length: number
  readonly finishes: boolean
  /** The number of its bytes that the core has taken. */
  accepted: number
  result: Exit.Exit<void, StreamError> | undefined
  resume: Resume<void, StreamError> | undefined
}

/** Shared by all streams that have no waiting write. It stays empty. */
export const NO_WRITES: Array<PendingWrite> = []

export const pendingWrite = (bytes: Uint8Array, finishes: boolean): PendingWrite => ({
  bytes,
  length: bytes.length,
  finishes,
  accepted: 0,
  result: undefined,
  resume: undefined
})

export const settle = (write: PendingWrite, result: Exit.Exit<void, StreamError>): void => {
  write.result = result
  write.resume?.(result)
}

/** Fails writes that have left their queue. */
export const failAll = (writes: ReadonlyArray<PendingWrite>, error: StreamError): void => {
  for (const write of writes) settle(write, Exit.fail(error))
}
