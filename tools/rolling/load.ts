/** Calls at a steady rate over managed sessions, and what becomes of each. */
import type { ManagedSession } from "effect-muxado"
import { MuxadoError } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type { Request } from "./call.js"
import { ask } from "./call.js"

/** Why a call or an attempt failed. */
export interface Failure {
  readonly error: string
  /** `undefined` if the error is none of the library. */
  readonly processed: "no" | "maybe" | undefined
}

export type Outcome =
  | { readonly _tag: "Answered"; readonly isRight: boolean }
  | ({ readonly _tag: "Failed" } & Failure)
  /** It has neither an answer nor an error after `PATIENCE`. */
  | { readonly _tag: "Hung" }

/** One call and its outcome. Times are in milliseconds. */
export interface Call {
  readonly id: number
  readonly takes: number
  /** How long it took, without the time that the server works on it. */
  readonly delay: number
  readonly outcome: Outcome
  /** The attempts that failed, also those after which the call was repeated. */
  readonly failures: ReadonlyArray<Failure & { readonly attempt: number }>
}

/** How long the tool waits for the end of a call. A managed session gives up earlier. */
const PATIENCE = "90 seconds"

/** The calls so far. A scenario makes calls over several sessions, beside those of the load. */
export class Calls {
  readonly done: Array<Call> = []
  private next = 0

  /** Makes one call, and returns its outcome. */
  readonly make = (
    session: ManagedSession.ManagedSessionService,
    kind: Request["kind"],
    takes: number
  ): Effect.Effect<Outcome> =>
    Effect.gen(this, function* () {
      const id = this.next++
      const failures: Array<Failure & { attempt: number }> = []
      let attempts = 0
      const began = performance.now()
      const outcome = yield* session
        .withStream(
          (stream) => {
            const attempt = ++attempts
            return Effect.tapError(ask(stream, { id, attempt, kind, takes }), (error) =>
              Effect.sync(() => void failures.push({ ...failureOf(error), attempt }))
            )
          },
          { retry: true }
        )
        .pipe(
          Effect.map((isRight): Outcome => ({ _tag: "Answered", isRight })),
          Effect.catchAll((error): Effect.Effect<Outcome> => Effect.succeed({ _tag: "Failed", ...failureOf(error) })),
          Effect.timeoutTo({
            duration: PATIENCE,
            onSuccess: (outcome) => outcome,
            onTimeout: (): Outcome => ({ _tag: "Hung" })
          })
        )
      this.done.push({ id, takes, outcome, failures, delay: performance.now() - began - takes })
      return outcome
    })
}

const failureOf = (error: unknown): Failure =>
  MuxadoError.isMuxadoError(error)
    ? { error: `${error._tag}: ${error.message}`, processed: error.processed }
    : { error: String(error), processed: undefined }

/**
 * Makes calls, `rate` each second over all sessions, while `work` runs. Then it waits for the end of the calls. Of the
 * calls, 50 % need no time, 45 % up to 300 ms, and 5 % 2 seconds; half of each are streaming.
 */
export const underLoad = <A, E>(
  calls: Calls,
  sessions: ReadonlyArray<ManagedSession.ManagedSessionService>,
  rate: number,
  work: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.scoped(
    Effect.gen(function* () {
      const running = yield* FiberSet.make<Outcome>()
      let isOver = false
      const load = Effect.gen(function* () {
        const began = performance.now()
        for (let i = 0; !isOver; i++) {
          const session = sessions[i % sessions.length]
          if (session === undefined) return
          // the number of sessions must not decide which kind of call a session gets
          const n = Math.floor(i / sessions.length)
          const takes = n % 2 === 0 ? 0 : n % 20 === 1 ? 2000 : (n * 37) % 300
          const kind = n % 4 < 2 ? "Unary" : "Streaming"
          yield* FiberSet.run(running, calls.make(session, kind, takes))
          yield* Effect.sleep(Math.max(0, began + ((i + 1) * 1000) / rate - performance.now()))
        }
      })
      const loading = yield* Effect.forkScoped(load)
      const result = yield* work
      isOver = true
      yield* Fiber.join(loading)
      yield* FiberSet.awaitEmpty(running)
      return result
    })
  )
