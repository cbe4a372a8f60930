/** A transport that delivers by callbacks, like a socket, over one that is read. */
import { Transport } from "effect-muxado"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Signal } from "../../../src/internal/support/waiters.js"
import type { Run } from "./run.js"

/** Chunks are handed over where they arrive, and now and then what is to be written is taken at once. */
export const direct = (
  run: Run,
  transport: Transport.TransportService
): Effect.Effect<Transport.TransportService, never, Scope.Scope> =>
  Effect.gen(function* () {
    let taken: ReadonlyArray<Uint8Array> | undefined
    const due = new Signal()
    const done = new Signal()
    const writeTaken = Effect.suspend(() => Effect.ignore(transport.write(taken ?? []))).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          taken = undefined
          done.notify()
        })
      )
    )
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(due.wait, writeTaken)))
    const settled: Effect.Effect<void> = Effect.suspend(() =>
      taken === undefined ? Effect.void : Effect.zipRight(done.wait, settled)
    )
    const wrapped: Transport.TransportService = {
      ...transport,
      write: (chunks) => Effect.zipRight(settled, transport.write(chunks)),
      end: Effect.zipRight(settled, transport.end)
    }
    return Transport.withFastPath(wrapped, {
      each: (take) => {
        const each: Effect.Effect<void, Effect.Effect.Error<typeof transport.read>> = Effect.flatMap(
          transport.read,
          (chunk) => (take(chunk) ? each : Effect.void)
        )
        return each
      },
      tryWrite: (chunks) => {
        if (taken !== undefined || run.random.chance(0.3)) return false
        taken = chunks
        run.count("write at once")
        due.notify()
        return true
      }
    })
  })
