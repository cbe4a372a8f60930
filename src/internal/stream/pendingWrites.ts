/** Writes of a stream that wait in line: for their turn, for the peer's window, or for the session's outbound bound. */
import * as Exit from "effect/Exit"
import type { StreamError } from "../../MuxadoError.js"
import type { Resume } from "../support/park.js"

/** A write, or a finish, that waits for its turn or for room. */
export interface PendingWrite {
  readonly bytes: Uint8Array
  /** How many bytes there were when the write began; fewer later, and their memory was detached. */
  readonly length: number
  readonly finishes: boolean
  /** Bytes of it that the core has taken. */
  accepted: number
  result: Exit.Exit<void, StreamError> | undefined
  resume: Resume<void, StreamError> | undefined
}

/** Most streams never have a write that waits. It stays empty. */
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

/** Fails writes that have left their line. */
export const failAll = (writes: ReadonlyArray<PendingWrite>, error: StreamError): void => {
  for (const write of writes) settle(write, Exit.fail(error))
}
