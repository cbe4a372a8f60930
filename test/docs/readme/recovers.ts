import { Effect, Stream } from "effect"
import { ManagedSession } from "effect-muxado"
import { NodeSession } from "effect-muxado/node"

export const ClientLive = NodeSession.layerTls(
  { host: "mux.example.com", port: 7443 },
  { retry: true, openTimeout: "5 seconds", maxAge: "1 hour" }
)

/** For a health check: it is connected, or it moves to another server, and no attempt has failed. */
export const isReady = Effect.gen(function* () {
  const session = yield* ManagedSession.ManagedSession
  const status = yield* session.status.get
  return status._tag === "Connected" || (status._tag === "Moving" && status.lastError === undefined)
})

/** Logs what it does now, and each change. Completes when it is closed. */
export const logStatus = Effect.gen(function* () {
  const session = yield* ManagedSession.ManagedSession
  yield* Stream.runForEach(session.status.changes, ({ _tag }) => Effect.log(_tag))
})
