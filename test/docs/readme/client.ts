import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { MuxStream, Session } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"

const ClientLive = Session.layerClient({ heartbeat: { interval: "10 seconds" } }).pipe(
  Layer.provide(NodeTransport.layerTcp({ host: "127.0.0.1", port: 7000 }))
)

const program = Effect.gen(function* () {
  const session = yield* Session.Session
  const answer = yield* session
    .withStream((stream) =>
      Effect.gen(function* () {
        yield* MuxStream.write(stream, "hello") // a string is sent as UTF-8
        yield* MuxStream.finish(stream) // half-close: reading stays open
        return yield* MuxStream.readAll(stream, { maxBytes: 64 * 1024 })
      })
    )
    .pipe(Effect.timeout("5 seconds")) // resets the stream, which interrupts the server's handler
  yield* Console.log(new TextDecoder().decode(answer))
})

program.pipe(Effect.provide(ClientLive), NodeRuntime.runMain)
