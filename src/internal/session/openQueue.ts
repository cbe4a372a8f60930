/** Opens streams, in the order of the calls. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { OpenError } from "../../MuxadoError.js"
import { StreamsExhausted } from "../../MuxadoError.js"
import type { Connection } from "../../protocol/connection.js"
import type { StreamCore } from "../../protocol/streams/streamCore.js"
import type { StreamHandle } from "../stream/streamHandle.js"
import type { Resume } from "../support/park.js"
import { park } from "../support/park.js"
import type { Restore } from "../support/restore.js"
import { interrupted } from "../support/run.js"
import { sessionError } from "../stream/toError.js"

interface Request {
  readonly type: number | undefined
  opened: StreamHandle | undefined
  outcome: Exit.Exit<StreamHandle, OpenError> | undefined
  resume: Resume<StreamHandle, OpenError> | undefined
}

/** The parts of the session that opening needs. */
interface Opener {
  readonly step: <A>(f: (connection: Connection) => A) => A
  /** Called in the step that has opened the stream. */
  readonly opened: (stream: StreamCore) => StreamHandle
}

export class OpenQueue {
  private readonly requests = new Set<Request>()

  constructor(private readonly session: Opener) {}

  /** Opens a stream at once; the caller must end it. Returns `undefined` if the call must wait or would fail. */
  openNow(type: number | undefined): StreamHandle | undefined {
    if (this.requests.size > 0) return undefined
    return this.session.step((connection) => {
      const result = connection.open(type)
      return "_tag" in result ? undefined : this.session.opened(result)
    })
  }

  /**
   * Opens a stream, or waits until the limit of open streams allows it. The caller must end the stream. It calls this
   * in a fiber, in an uninterruptible region, and `restore` comes from that region.
   */
  open(type: number | undefined, restore: Restore): Effect.Effect<StreamHandle, OpenError> {
    const request: Request = { type, opened: undefined, outcome: undefined, resume: undefined }
    if (this.requests.size === 0) this.session.step((connection) => this.attempt(request, connection))
    else this.requests.add(request)
    if (request.outcome !== undefined) return request.outcome
    const opened = park<StreamHandle, OpenError>((resume) => {
      if (request.outcome !== undefined) resume(request.outcome)
      else request.resume = resume
    })
    return Effect.onInterrupt(restore(opened), () => Effect.sync(() => this.withdraw(request)))
  }

  /** Tries the waiting calls again: the limit may allow them now, or they may have to fail. */
  pump(): void {
    for (const request of this.requests) {
      this.session.step((connection) => this.attempt(request, connection))
      if (request.outcome === undefined) return
      request.resume?.(request.outcome)
    }
  }

  /** Runs inside one step. The events of the step wake fibers after the request is done or stands in the queue. */
  private attempt(request: Request, connection: Connection): void {
    const result = connection.open(request.type)
    if (!("_tag" in result)) {
      request.opened = this.session.opened(result)
      request.outcome = Exit.succeed(request.opened)
    } else if (result._tag === "Exhausted") {
      request.outcome = Exit.fail(new StreamsExhausted({ initiator: "Local", processed: "no" }))
    } else if (result._tag === "Over") {
      request.outcome = Exit.fail(sessionError(result.end, "no"))
    } else {
      this.requests.add(request)
      return
    }
    this.requests.delete(request)
  }

  private withdraw(request: Request): void {
    this.requests.delete(request)
    // the stream was opened, but its fiber was interrupted before it received the stream
    request.opened?.endWith(interrupted)
  }
}
