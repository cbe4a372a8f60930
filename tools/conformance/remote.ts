/** Targets that are other programs: one that listens, or one that dials. */
import { NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import { NoConnection } from "./failure.js"
import type { Listener } from "./listen.js"
import type { Needs } from "./row.js"
import type { Connection, Target } from "./target.js"

/** A muxado that listens, and echoes (`acceptor`) or never takes a stream (`holder`). */
export const listening = (host: string, port: number, can: Needs): Target => ({
  can: new Set([can]),
  connect: () =>
    NodeTransport.makeTcp({ host, port }).pipe(
      Effect.map((transport) => ({ transport, role: "client" }) satisfies Connection),
      Effect.mapError(({ cause, message }) => {
        const why = cause instanceof Error ? `: ${cause.message}` : ""
        return new NoConnection({ detail: `${host}:${port}: ${message}${why}` })
      })
    )
})

/** How long a muxado may take to dial again. */
const REDIAL = "10 seconds"

/** A muxado that dials, again and again. The first connection is waited for as long as it takes. */
export const dialling = (listener: Listener, can: ReadonlySet<Needs>): Target => {
  let begun = false
  return {
    can,
    connect: () =>
      Effect.suspend(() => {
        const accepted = begun
          ? Effect.timeoutFail(listener.accept, {
              duration: REDIAL,
              onTimeout: () => new NoConnection({ detail: "nobody dialled again" })
            })
          : listener.accept
        return Effect.map(accepted, (transport) => {
          begun = true
          return { transport, role: "server" } satisfies Connection
        })
      })
  }
}
