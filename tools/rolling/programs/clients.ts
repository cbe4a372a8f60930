/** Many managed sessions in one process. It reports when each began an attempt to connect, and when it was ready. */
import { ManagedSession } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Stream from "effect/Stream"
import type { FromClients } from "./messages.js"
import { ClientsSettings, onMessage, say, settingsOf, ToClients } from "./messages.js"

const { clients, port } = settingsOf(ClientsSettings)
let dials = Array.from({ length: clients }, (): Array<number> => [])
const ready = Array.from({ length: clients }, () => 0)
const isConnected = Array.from({ length: clients }, () => false)

const client = (number: number) =>
  Effect.gen(function* () {
    const session = yield* ManagedSession.make({
      connect: Effect.zipRight(
        Effect.sync(() => void dials[number]?.push(Date.now())),
        NodeTransport.makeTcp({ host: "127.0.0.1", port })
      )
    })
    yield* Effect.forkScoped(
      Stream.runForEach(session.status.changes, ({ _tag }) =>
        Effect.sync(() => {
          isConnected[number] = _tag === "Connected"
          if (_tag === "Connected") ready[number] = Date.now()
        })
      )
    )
  })

const program = Effect.zipRight(Effect.forEach(Array(clients).keys(), client, { discard: true }), Effect.never).pipe(
  Effect.scoped,
  Logger.withMinimumLogLevel(LogLevel.Fatal)
)

const running = Effect.runFork(program)

const report = (): FromClients => ({ connected: isConnected.filter((is) => is).length, dials, ready })

onMessage(ToClients, (message) => {
  switch (message._tag) {
    case "Forget":
      dials = dials.map(() => [])
      return
    case "Report":
      return say(report())
    case "End":
      return void Effect.runFork(Fiber.interrupt(running)).addObserver(() => {
        if (process.connected) process.disconnect()
      })
  }
})
