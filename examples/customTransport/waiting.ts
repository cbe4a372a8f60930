/** For a transport over callbacks: waiting that loses nothing, and failures. */
import { Effect } from "effect"
import { MuxadoError } from "effect-muxado"

type Answer<A> = Effect.Effect<A, MuxadoError.TransportFailed>

export const makeWaiting = () => {
  const latches: Array<Effect.Latch> = []
  const wake = () => latches.forEach((latch) => latch.unsafeOpen())
  /**
   * Calls `look` until it has an answer: at once, and after each `wake`. Only one fiber may wait. The step that looks
   * also takes the answer, so an interruption loses nothing. The latch closes before the look, so no `wake` is missed.
   */
  const until = <Args extends ReadonlyArray<unknown>, A>(look: (...args: Args) => Answer<A> | undefined) => {
    const latch = Effect.unsafeMakeLatch()
    latches.push(latch)
    const wait = (...args: Args): Answer<A> =>
      Effect.suspend(() => {
        latch.unsafeClose()
        return look(...args) ?? Effect.zipRight(latch.await, wait(...args))
      })
    return wait
  }
  return { until, wake }
}

export const failed = (reason: "Read" | "Ended" | "Write", cause?: unknown): MuxadoError.TransportFailed =>
  new MuxadoError.TransportFailed({ reason, cause, initiator: "Remote", processed: "maybe" })
