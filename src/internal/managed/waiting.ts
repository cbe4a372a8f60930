/** The calls that wait for a live session. */
import * as Effect from "effect/Effect"
import type { SessionError } from "../../MuxadoError.js"
import type { Resume } from "../support/park.js"
import { park } from "../support/park.js"

/** They are woken in the order in which they came. An interrupted call leaves at once. */
export class Waiting {
  private readonly calls = new Set<Resume<void, SessionError>>()

  /** The number of calls that wait now. */
  get size(): number {
    return this.calls.size
  }

  /** Waits for the next `wakeAll` or `failAll`, unless `ready` returns true. */
  waitUnless(ready: () => boolean): Effect.Effect<void, SessionError> {
    return park<void, SessionError>((resume) => {
      if (ready()) return resume(Effect.void)
      this.calls.add(resume)
      return Effect.sync(() => {
        this.calls.delete(resume)
      })
    })
  }

  wakeAll(): void {
    for (const resume of this.takeAll()) resume(Effect.void)
  }

  /** `error` is called for each call, so that each gets an error of its own. */
  failAll(error: () => SessionError): void {
    for (const resume of this.takeAll()) resume(Effect.fail(error()))
  }

  private takeAll(): ReadonlyArray<Resume<void, SessionError>> {
    const calls = [...this.calls]
    this.calls.clear()
    return calls
  }
}
