import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { StreamHandle } from "./streamHandle.js"

/**
 * The handlers for `Effect.matchCauseEffect` that end a stream with the exit of its use. It is a class because of
 * reason 1 in `protocol/collections/v8.ts`.
 */
export class Using<A, E> {
  readonly onFailure: (cause: Cause.Cause<E>) => Effect.Effect<never, E>
  readonly onSuccess: (value: A) => Effect.Effect<A>

  constructor(stream: StreamHandle) {
    this.onFailure = (cause) => {
      const exit = Exit.failCause(cause)
      stream.endWith(exit)
      return exit
    }
    this.onSuccess = (value) => {
      stream.endWith(Exit.void)
      return Effect.succeed(value)
    }
  }
}
