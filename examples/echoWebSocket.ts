/** `npm run -s example:websocket`: an echo server and its client over one WebSocket on loopback, in one program. */
import { NodeSocket, NodeSocketServer } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { MuxStream, Session, SessionServer, Transport } from "effect-muxado"

/** Runs the bytes of the stream, as an Effect `Stream`, into the `Sink` of the same stream. */
const echo = (stream: MuxStream.MuxStream) => Stream.run(MuxStream.toStream(stream), MuxStream.toSink(stream))

const call = (session: Session.SessionService, bytes: number) =>
  session.withStream((stream) =>
    Effect.gen(function* () {
      const writing = Effect.zipRight(MuxStream.write(stream, new Uint8Array(bytes)), MuxStream.finish(stream))
      // both at once, because these bytes are more than the windows of a stream
      const [answer] = yield* Effect.all([MuxStream.readAll(stream), writing], { concurrency: 2 })
      yield* Console.log(`stream ${stream.id}: ${answer.length} bytes came back`)
    })
  )

const client = Effect.gen(function* () {
  const session = yield* Session.Session
  yield* Effect.forEach([10, 1_000, 1_000_000], (bytes) => call(session, bytes))
})

// a browser uses the same layers, with `Socket.layerWebSocketConstructorGlobal` of @effect/platform
const ClientLive = (port: number) =>
  Session.layerClient().pipe(
    Layer.provide(Transport.layerWebSocket(`ws://127.0.0.1:${port}`)),
    Layer.provide(NodeSocket.layerWebSocketConstructor)
  )

// the server holds a whole WebSocket message before the session gets it, so its size needs a limit
const ServerLive = SessionServer.layer().pipe(
  Layer.provide(NodeSocketServer.layerWebSocket({ host: "127.0.0.1", port: 0, maxPayload: 1024 * 1024 }))
)

const main = Effect.gen(function* () {
  const server = yield* SessionServer.SessionServer
  yield* Effect.forkScoped(server.run((session) => session.serve(echo)))
  if (server.address._tag !== "TcpAddress") return yield* Effect.dieMessage("a WebSocket server has a port")
  yield* Effect.provide(client, ClientLive(server.address.port))
}).pipe(Effect.scoped, Effect.provide(ServerLive))

await Effect.runPromise(main)
