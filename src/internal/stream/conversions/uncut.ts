/** Resets a stream if a conversion that writes into it stops before its input ends. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { MuxStream } from "../muxStream.js"
import { ErrorCode } from "../../../protocol/wire/errorCode.js"
import { StreamHandle } from "../streamHandle.js"

/**
 * Resets the stream when the scope closes, unless the returned effect has run. Run that effect when all data is
 * written. The stream is also reset if its own scope closes earlier than this one, which may be open in another
 * fiber.
 */
export const uncut = (stream: MuxStream): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  writing(stream, () => false)

/** The same, but a scope that closes with success also means that all data is written. */
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
    // counts inside `acquireRelease`, so that no interruption can prevent `leave`
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
