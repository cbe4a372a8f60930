/** `npm run -s example:backend`: a server for the two HTTP examples. Stop it, kill it, and start it again. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { MuxStream, SessionServer } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"

/** Answers in capitals, and with the number of this process, which shows that another one has taken over. */
const shout = (stream: MuxStream.MuxStream) =>
  Effect.gen(function* () {
    const text = new TextDecoder().decode(yield* MuxStream.readAll(stream, { maxBytes: 64 * 1024 }))
    yield* MuxStream.write(stream, `${text.toUpperCase()}, says process ${process.pid}`)
  })

const port = Number(process.env["BACKEND_PORT"] ?? 7000)

Effect.gen(function* () {
  const server = yield* SessionServer.SessionServer
  yield* Console.log(`Process ${process.pid} listens on port ${port}`)
  yield* server.run((session) => session.serve(shout))
}).pipe(Effect.provide(NodeSessionServer.layerTcp({ host: "127.0.0.1", port })), NodeRuntime.runMain)
