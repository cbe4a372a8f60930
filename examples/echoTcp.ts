/** `npm run -s example:tcp`: an echo server and its client over TCP on loopback, in one program. */
import { Console, Effect, Layer } from "effect"
import { MuxStream, Session, SessionServer } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"

/** Writes each chunk back until the client finishes. Then the stream ends here too. */
const echo = (stream: MuxStream.MuxStream) =>
  Effect.gen(function* () {
    for (;;) {
      const chunk = yield* MuxStream.read(stream)
      if (chunk._tag === "None") return
      yield* MuxStream.write(stream, chunk.value)
    }
  })

const call = (session: Session.SessionService, request: string) =>
  session.withStream((stream) =>
    Effect.gen(function* () {
      yield* MuxStream.write(stream, request)
      yield* MuxStream.finish(stream) // half-close: reading is still open
      const answer = new TextDecoder().decode(yield* MuxStream.readAll(stream))
      return `stream ${stream.id}: sent ${request}, got ${answer}`
    })
  )

const client = Effect.gen(function* () {
  const session = yield* Session.Session
  const lines = yield* Effect.forEach(["one", "two", "three"], (request) => call(session, request), { concurrency: 3 })
  yield* Console.log(lines.join("\n"))
  const { bytesReceived, opened } = yield* session.stats
  yield* Console.log(`one connection carried ${opened} streams and ${bytesReceived} bytes back`)
})

const main = Effect.gen(function* () {
  const server = yield* SessionServer.SessionServer
  yield* Effect.forkScoped(server.run((session) => session.serve(echo)))
  if (server.address._tag !== "TcpAddress") return yield* Effect.dieMessage("TCP has an address and a port")
  const transport = NodeTransport.layerTcp({ host: "127.0.0.1", port: server.address.port })
  yield* Effect.provide(client, Layer.provide(Session.layerClient(), transport))
}).pipe(
  Effect.scoped,
  Effect.provide(NodeSessionServer.layerTcp({ host: "127.0.0.1", port: 0 })) // 0: any free port
)

await Effect.runPromise(main)
