import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { MuxStream, Session } from "effect-muxado"
import { NodeSession } from "effect-muxado/node"

// one connection for all calls; it is made again when it is lost, and when the server leaves
const ClientLive = NodeSession.layerTcp({ host: "127.0.0.1", port: 7000 }, { retry: true })

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
