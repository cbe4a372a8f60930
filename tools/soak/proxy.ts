/** A TCP proxy between the two sides, with the faults of networks. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Socket } from "node:net"
import { connect, createServer } from "node:net"

export interface Proxy {
  readonly port: number
  /** Both connections are gone at once. */
  readonly cut: Effect.Effect<void>
  /** Nothing passes any more, and nobody is told: neither side's bytes are taken, as if its peer had been stopped. */
  readonly stop: Effect.Effect<void>
}

export const makeProxy = (target: number): Effect.Effect<Proxy, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = new Set<Socket>()
    const join = (near: Socket): void => {
      const far = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
      for (const [one, other] of [
        [near, far],
        [far, near]
      ] as const) {
        sockets.add(one)
        one.setNoDelay(true)
        one.on("error", () => undefined)
        one.on("close", () => {
          sockets.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    }
    const server = createServer({ allowHalfOpen: true }, join)
    const destroyAll = (): void => {
      for (const socket of sockets) socket.destroy()
    }
    yield* Effect.acquireRelease(listening(server), () =>
      Effect.async<void>((resume) => {
        destroyAll()
        server.close(() => resume(Effect.void))
      })
    )
    const address = server.address()
    return {
      port: typeof address === "object" && address !== null ? address.port : 0,
      cut: Effect.sync(destroyAll),
      stop: Effect.sync(() => {
        for (const socket of sockets) {
          socket.unpipe()
          socket.pause()
        }
      })
    }
  })

const listening = (server: ReturnType<typeof createServer>): Effect.Effect<void, Error> =>
  Effect.async<void, Error>((resume) => {
    server.once("error", (error) => resume(Effect.fail(error)))
    server.listen({ host: "127.0.0.1", port: 0 }, () => resume(Effect.void))
  })
