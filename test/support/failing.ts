/** Each way in which a function of the application can go wrong. */
import { MuxadoError } from "effect-muxado"
import * as Effect from "effect/Effect"

export const boom = new Error("boom")

export const failing: Record<string, () => unknown> = {
  throws: () => {
    throw boom
  },
  dies: () => Effect.die(boom),
  fails: () => Effect.fail(boom),
  "fails with a string": () => Effect.fail("boom"),
  "fails with its own error": () =>
    Effect.fail(
      new MuxadoError.TransportFailed({ reason: "Write", cause: boom, initiator: "Local", processed: "maybe" })
    ),
  "interrupts itself": () => Effect.interrupt,
  "gives no effect": () => undefined
}
