/** A raw peer at one end of a transport. */
import type { Transport } from "effect-muxado"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Medium } from "./peer.js"
import { Seen } from "./seen.js"

export const overTransport = (transport: Transport.TransportService): Effect.Effect<Medium, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen = new Seen()
    const mayRead = Effect.unsafeMakeLatch(true)
    const take = Effect.zipRight(mayRead.await, transport.read)
    yield* Effect.forkScoped(
      Effect.forever(Effect.map(take, (chunk) => seen.push(chunk))).pipe(
        Effect.ignore,
        Effect.ensuring(Effect.sync(() => seen.end()))
      )
    )
    return {
      seen,
      write: (bytes) =>
        transport.write([bytes]).pipe(
          Effect.as(true),
          Effect.orElseSucceed(() => false)
        ),
      end: transport.end,
      stopReading: Effect.as(mayRead.close, Effect.asVoid(mayRead.open))
    }
  })
