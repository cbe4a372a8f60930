/** The interfaces between `serve` and the sessions whose streams it takes. */
import type * as Effect from "effect/Effect"
import type { StreamHandle } from "../stream/streamHandle.js"

/** A `serve` that runs. Several sources may give streams to one server: they share `free`. */
export interface Server {
  /** The number of streams that it takes at once. A source that gives it a stream subtracts 1. */
  free: number
  /** The types of its streams. `undefined`: it takes every stream that no server with types takes. */
  readonly types: ReadonlySet<number> | undefined
  readonly start: (stream: StreamHandle) => void
}

/** Gives the streams of one session, or of several, to servers. */
export interface AcceptSource {
  /** Gives streams to `server` while it is free, the waiting ones first. */
  subscribe(server: Server): void
  unsubscribe(server: Server): void
  /** Says that a handler of `server` has ended. */
  release(server: Server): void
}

/** The sessions whose streams a `serve` takes: one session, or several behind one source. */
export interface ServedSessions {
  readonly accepting: AcceptSource
  /** Completes when no more streams come. */
  readonly refusing: { readonly await: Effect.Effect<void> }
}
