/** A listener for targets that dial. */
import type { Transport } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import { NoConnection } from "./failure.js"

export interface Listener {
  readonly port: number
  /** The next connection, which the scope's end destroys. */
  readonly accept: Effect.Effect<Transport.TransportService, never, Scope.Scope>
}

/** Listens until the scope closes; port 0 picks a free one. */
export const listen = (host: string, port: number): Effect.Effect<Listener, NoConnection, Scope.Scope> =>
  Effect.gen(function* () {
    const waiting = yield* Queue.unbounded<Net.Socket>()
    const sockets = new Set<Net.Socket>()
    const server = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
          sockets.add(socket)
          socket.on("error", () => {})
          socket.on("close", () => sockets.delete(socket))
          Queue.unsafeOffer(waiting, socket)
        })
      ),
      (listening) =>
        Effect.sync(() => {
          listening.close()
          for (const socket of sockets) socket.destroy()
        })
    )
    yield* Effect.async<void, NoConnection>((resume) => {
      server.once("error", (error) => resume(Effect.fail(new NoConnection({ detail: error.message }))))
      server.listen(port, host, () => resume(Effect.void))
    })
    const address = server.address()
    const accept: Listener["accept"] = Effect.flatMap(Queue.take(waiting), (socket) =>
      // one that has gone while it waited is of no use
      socket.destroyed ? accept : NodeTransport.fromDuplex(socket)
    )
    return { port: typeof address === "object" && address !== null ? address.port : port, accept }
  })
