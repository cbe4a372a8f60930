/** A raw peer at one end of a TCP connection. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { once } from "node:events"
import * as Net from "node:net"
import type { Medium } from "./peer.js"
import { Seen } from "./seen.js"

export const connectTcp = (port: number): Effect.Effect<Net.Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = Net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
      await once(socket, "connect")
      socket.on("error", () => {})
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

export const overTcp = (port: number): Effect.Effect<Medium, never, Scope.Scope> =>
  Effect.map(connectTcp(port), mediumOf)

export const mediumOf = (socket: Net.Socket): Medium => {
  const seen = new Seen()
  socket.on("data", (chunk) => seen.push(chunk))
  socket.on("end", () => seen.end())
  socket.on("close", () => seen.end())
  const pause = Effect.sync(() => void socket.pause())
  const resume = Effect.sync(() => void socket.resume())
  return {
    seen,
    write: (bytes) => write(socket, bytes),
    end: Effect.sync(() => void socket.end()),
    stopReading: Effect.as(pause, resume)
  }
}

const write = (socket: Net.Socket, bytes: Uint8Array): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    if (!socket.writable) return resume(Effect.succeed(false))
    socket.write(bytes, (error) => {
      const taken = Effect.succeed(error === undefined || error === null)
      // what the kernel takes at once comes back in the same turn, in which nothing is read
      setImmediate(() => resume(taken))
    })
  })
