/** What writes into a stream step by step must not look whole when it was cut. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { MuxStream } from "../muxStream.js"
import { ErrorCode } from "../../../protocol/wire/errorCode.js"
import { StreamHandle } from "../streamHandle.js"

/**
 * Resets the stream at the end of the scope, unless the effect that it gives has run: what was written until then was
 * cut. A stream whose own scope ends earlier, while this one is open in another fiber, is reset as well.
 */
export const uncut = (stream: MuxStream): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  writing(stream, () => false)

/** The same, for a scope whose success says that all was written, as the effect that it gives does before. */
export const uncutOnSuccess = (stream: MuxStream): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  writing(stream, Exit.isSuccess)

const writing = (
  stream: MuxStream,
  isWhole: (exit: Exit.Exit<unknown, unknown>) => boolean
): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.suspend(() => {
    let open = true
    const leave = (): void => {
      if (open && stream instanceof StreamHandle) stream.conversions--
      open = false
    }
    // counted in the step that makes sure that it is taken back: an interruption between the two would count for good
    return Effect.as(
      Effect.acquireRelease(
        Effect.sync(() => {
          if (stream instanceof StreamHandle) stream.conversions++
        }),
        (_, exit) =>
          Effect.suspend(() => {
            const whole = !open || isWhole(exit)
            leave()
            return whole ? Effect.void : stream.reset(ErrorCode.StreamCancelled)
          })
      ),
      Effect.sync(leave)
    )
  })
