/** Servers in processes of their own, which listen one after the other on one port. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import { startChild } from "./child.js"
import type { Settings, ToOwner } from "./programs/messages.js"
import { FromOwner } from "./programs/messages.js"

/**
 * How the next server gets the port. `"HandedOver"`: it inherits the listening socket of the owner, and listens before
 * the old one stops. `"Anew"`: it listens itself, after the old one has stopped to listen.
 */
export type Handover = "HandedOver" | "Anew"

export interface FleetOptions {
  readonly handover: Handover
  readonly log: string
  readonly tls?: { readonly key: string; readonly cert: string } | undefined
}

export interface Listening {
  /** When it began to listen, in milliseconds since 1970. */
  readonly at: number
  readonly port: number
}

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
}

/** One server. */
export interface Server {
  readonly number: number
  /** It listens. The first one of `"Anew"` takes a free port, and the next ones the same. */
  readonly listen: Effect.Effect<Listening>
  readonly signal: (signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
  /** Its CPU time so far, in milliseconds. */
  readonly cpu: Effect.Effect<number>
  readonly ended: Effect.Effect<Ended>
}

export interface Fleet {
  /** Starts a process, which loads its code and does not listen yet. */
  readonly start: Effect.Effect<Server>
}

/** What a server has said so far. */
class Heard {
  readonly ready = Deferred.unsafeMake<void>(FiberId.none)
  readonly listening = Deferred.unsafeMake<Listening>(FiberId.none)
  readonly ended = Deferred.unsafeMake<Ended>(FiberId.none)
  used = Deferred.unsafeMake<number>(FiberId.none)
}

/** Starts the owner of the port. All processes have ended when the scope has closed. */
export const makeFleet = ({ handover, log, tls }: FleetOptions): Effect.Effect<Fleet, never, Scope.Scope> =>
  Effect.gen(function* () {
    const heard: Array<Heard> = []
    const inherits = handover === "HandedOver"
    const settings: Settings = { log, inherits, ...(tls === undefined ? {} : { tls }) }
    const socket = yield* Effect.acquireRelease(inherits ? listening : Effect.succeed(undefined), (socket) =>
      Effect.sync(() => void socket?.close())
    )
    let port = portOf(socket)
    const owner = yield* startChild({
      program: "owner.ts",
      settings: {},
      says: FromOwner,
      inherits: socket === undefined ? [] : [descriptorOf(socket)],
      onMessage: (message) => {
        const server = heard[message.server]
        if (server === undefined) return
        if (message._tag === "Ended") return void Deferred.unsafeDone(server.ended, Exit.succeed(message))
        const { what } = message
        switch (what._tag) {
          case "Ready":
            return void Deferred.unsafeDone(server.ready, Exit.void)
          case "Listening":
            return void Deferred.unsafeDone(server.listening, Exit.succeed(what))
          case "Used":
            return void Deferred.unsafeDone(server.used, Exit.succeed(what.cpu))
        }
      }
    })
    // the socket is the owner's now: a server here would accept connections
    socket?.close()
    const tell = (message: ToOwner) => Effect.sync(() => void owner.process.send(message))
    const start = Effect.gen(function* () {
      const number = heard.length
      const server = new Heard()
      heard.push(server)
      yield* tell({ _tag: "Start", server: number, settings })
      yield* Deferred.await(server.ready)
      return {
        number,
        listen: Effect.gen(function* () {
          yield* tell({ _tag: "Tell", server: number, what: { _tag: "Listen", port } })
          const listening = yield* Deferred.await(server.listening)
          port = listening.port
          return listening
        }),
        signal: (signal: "SIGTERM" | "SIGKILL") => tell({ _tag: "Signal", server: number, signal }),
        cpu: Effect.suspend(() => {
          server.used = Deferred.unsafeMake(FiberId.none)
          return Effect.zipRight(
            tell({ _tag: "Tell", server: number, what: { _tag: "Usage" } }),
            Deferred.await(server.used)
          )
        }),
        ended: Deferred.await(server.ended)
      }
    })
    return { start }
  })

const listening = Effect.async<Net.Server>((resume) => {
  const server = Net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
})

const portOf = (server: Net.Server | undefined): number => {
  const address = server?.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** Node keeps the handle of a server in `_handle`. */
const descriptorOf = (server: Net.Server): number => {
  const handle: unknown = Reflect.get(server, "_handle")
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined
  if (typeof fd !== "number") throw new Error("this system shows no descriptor of a listening socket")
  return fd
}
