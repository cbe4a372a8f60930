/** A raw peer at one end of a WebSocket. Each write is one message. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as RawWebSocket from "../../test/support/rawWebSocket.js"
import type { Medium } from "./peer.js"
import { Seen } from "./seen.js"

export const overWebSocket = (port: number): Effect.Effect<Medium, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen = new Seen()
    const { close, send, socket } = yield* RawWebSocket.connect(port, {
      onBytes: (bytes) => seen.push(bytes),
      onEnd: () => seen.end()
    })
    const resume = Effect.sync(() => void socket.resume())
    return { seen, write: send, end: close, stopReading: Effect.sync(() => (socket.pause(), resume)) }
  })
