import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { MuxStream, SessionServer } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"

const server = SessionServer.run((session) =>
  Effect.zipRight(
    Effect.log("A client connected", session.peer), // address and port; with TLS the certificate
    session.serve(
      (stream) =>
        Effect.gen(function* () {
          const request = yield* MuxStream.readAll(stream, { maxBytes: 64 * 1024 })
          yield* MuxStream.write(stream, new TextDecoder().decode(request).toUpperCase())
        }),
      { concurrency: 100 } // at most 100 handlers run at once; further streams wait
    )
  )
)

server.pipe(Effect.provide(NodeSessionServer.layerTcp({ port: 7000 })), NodeRuntime.runMain)
