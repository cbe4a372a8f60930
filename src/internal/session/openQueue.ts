/** Opening streams, in the order in which it was asked for. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type { OpenError } from "../../MuxadoError.js"
import { StreamsExhausted } from "../../MuxadoError.js"
import type { OpenResult } from "../../protocol/results.js"
import type { StreamCore } from "../../protocol/streams/streamCore.js"
import { sessionError } from "./toError.js"
import type { Restore } from "../support/restore.js"
import type { StreamHandle } from "../stream/streamHandle.js"

interface Request {
  readonly type: number | undefined
  opened: StreamHandle | undefined
  outcome: Exit.Exit<StreamHandle, OpenError> | undefined
  resume: ((effect: Effect.Effect<StreamHandle, OpenError>) => void) | undefined
}

/** What opening needs of its session. */
interface Opener {
  readonly open: (type: number | undefined) => OpenResult
  readonly opened: (stream: StreamCore) => StreamHandle
}

export class OpenQueue {
  private readonly requests = new Set<Request>()

  constructor(private readonly opener: Opener) {}

  /** Opens a stream, which the caller must end; `undefined` when that must wait, or fails. */
  openNow(type: number | undefined): StreamHandle | undefined {
    if (this.requests.size > 0) return undefined
    const result = this.opener.open(type)
    return "_tag" in result ? undefined : this.opener.opened(result)
  }

  /**
   * Opens a stream, which the caller must end, or waits until there is room. The caller is a fiber that runs, in an
   * uninterruptible region whose `restore` this is.
   */
  open(type: number | undefined, restore: Restore): Effect.Effect<StreamHandle, OpenError> {
    const request: Request = { type, opened: undefined, outcome: undefined, resume: undefined }
    const outcome = this.requests.size > 0 ? undefined : this.attempt(request)
    if (outcome !== undefined) return outcome
    this.requests.add(request)
    const opened = Effect.async<StreamHandle, OpenError>((resume) => {
      if (request.outcome !== undefined) resume(request.outcome)
      else request.resume = resume
    })
    return Effect.onInterrupt(restore(opened), () => Effect.sync(() => this.withdraw(request)))
  }

  /** There may be room, or a reason to fail. */
  pump(): void {
    for (const request of this.requests) {
      const outcome = this.attempt(request)
      if (outcome === undefined) return
      this.requests.delete(request)
      request.outcome = outcome
      request.resume?.(outcome)
    }
  }

  private attempt(request: Request): Exit.Exit<StreamHandle, OpenError> | undefined {
    const result = this.opener.open(request.type)
    if (!("_tag" in result)) {
      request.opened = this.opener.opened(result)
      return Exit.succeed(request.opened)
    }
    switch (result._tag) {
      case "Full":
        return undefined
      case "Exhausted":
        return Exit.fail(new StreamsExhausted({ initiator: "Local", processed: "no" }))
      case "Over":
        return Exit.fail(sessionError(result.end, "no"))
    }
  }

  private withdraw(request: Request): void {
    this.requests.delete(request)
    // it was opened in the instant in which its fiber was interrupted
    request.opened?.endWith(Exit.interrupt(FiberId.none))
  }
}
