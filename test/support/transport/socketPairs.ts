/** Connected pairs of transports over the sockets of `@effect/platform-node`. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Undici from "@effect/platform-node/Undici"
import * as Socket from "@effect/platform/Socket"
import type * as SocketServer from "@effect/platform/SocketServer"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Transport from "../../../src/Transport.js"

type Server = Context.Tag.Service<SocketServer.SocketServer>

/** The side of a server whose connection lives until the scope closes. */
export const accept = (server: Server, options?: Transport.SocketOptions) =>
  Effect.gen(function* () {
    const accepted = yield* Deferred.make<Transport.TransportService>()
    yield* Effect.forkScoped(
      server.run((socket) =>
        Effect.gen(function* () {
          const webSocket = yield* Effect.serviceOption(Socket.WebSocket)
          const transport = yield* Transport.fromSocket(socket, {
            ...(Option.isSome(webSocket) ? { bufferedAmount: () => webSocket.value.bufferedAmount } : {}),
            ...options
          })
          yield* Deferred.succeed(accepted, transport)
          return yield* Effect.never
        }).pipe(Effect.scoped)
      )
    )
    return Deferred.await(accepted)
  })

export const portOf = (server: Server): number => (server.address._tag === "TcpAddress" ? server.address.port : 0)

export const makeNetPair = Effect.gen(function* () {
  const server = yield* NodeSocketServer.make({ port: 0, host: "127.0.0.1" })
  const accepted = yield* accept(server)
  const socket = yield* NodeSocket.makeNet({ port: portOf(server), host: "127.0.0.1" })
  const client = yield* Transport.fromSocket(socket)
  return { client, server: yield* accepted }
})

/** `connect` is the client over a WebSocket to the given URL. */
export const makeWebSocketPair = <E, R>(
  connect: (url: string) => Effect.Effect<Transport.TransportService, E, R | Scope.Scope>
) =>
  Effect.gen(function* () {
    const server = yield* NodeSocketServer.makeWebSocket({ port: 0, host: "127.0.0.1", perMessageDeflate: false })
    const accepted = yield* accept(server)
    const client = yield* connect(`ws://127.0.0.1:${portOf(server)}`)
    return { client, server: yield* accepted }
  })

/** What `globalThis.WebSocket` is where Node has one: its messages are Blobs by default. */
export const layerStandardWebSocket: Layer.Layer<Socket.WebSocketConstructor> = Layer.succeed(
  Socket.WebSocketConstructor,
  // The standard's class, which undici and the DOM library each declare for themselves.
  (url, protocols) => new Undici.WebSocket(url, protocols) as unknown as globalThis.WebSocket
)

/** The WebSocket of `ws` on Node 20, and above it `globalThis.WebSocket`. */
export const layerNodeWebSocket = NodeSocket.layerWebSocketConstructor

/** The service of a layer that lives as long as the scope. */
export const build = <E, R>(layer: Layer.Layer<Transport.Transport, E, R>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, Transport.Transport))
