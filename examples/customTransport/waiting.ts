/** What a transport over callbacks needs: to wait without losing anything, and to fail. */
import { Effect } from "effect"
import { MuxadoError } from "effect-muxado"

type Answer<A> = Effect.Effect<A, MuxadoError.TransportFailed>

export const makeWaiting = () => {
  const latches: Array<Effect.Latch> = []
  const wake = () => latches.forEach((latch) => latch.unsafeOpen())
  /**
   * Looks for an answer, and again after each `wake`; for one fiber. The step that looks also takes the answer, so an
   * interruption loses nothing. The latch is closed before the look, so no wake-up is missed.
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
