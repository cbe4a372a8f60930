/** `npm run -s example:http`: an Effect HttpServer whose route calls a backend over one session, which recovers. */
import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Schedule } from "effect"
import { MuxStream, Session } from "effect-muxado"
import { NodeSession } from "effect-muxado/node"
import { createServer } from "node:http"

const { BACKEND_PORT = "7000", PORT = "3000" } = process.env

const shout = (text: string) =>
  Effect.flatMap(Session.Session, (session) =>
    session.withStream((stream) =>
      MuxStream.write(stream, text).pipe(
        Effect.zipRight(MuxStream.finish(stream)),
        Effect.zipRight(MuxStream.readAll(stream)),
        Effect.map((answer) => new TextDecoder().decode(answer))
      )
    )
  )

const routes = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/shout/:text",
    HttpRouter.params.pipe(
      // if the client disconnects, the call is interrupted, and with it the handler of the backend
      Effect.flatMap(({ text = "" }) => shout(text)),
      Effect.flatMap((answer) => HttpServerResponse.text(answer)),
      // 503: the backend has done nothing. 502: it may have acted
      Effect.catchAll(({ message, processed }) =>
        HttpServerResponse.text(message, { status: processed === "no" ? 503 : 502 })
      )
    )
  )
)

// `Session` for the routes, like any other service: made once, shared by all requests, drained at the end
const BackendLive = NodeSession.layerTcp(
  { host: "127.0.0.1", port: Number(BACKEND_PORT) },
  {
    openTimeout: "30 seconds", // how long a request waits for the backend
    reconnect: Schedule.spaced("500 millis"), // the only client of the backend: its delays need not grow
    retry: true
  }
)

const AppLive = HttpServer.serve(routes).pipe(
  HttpServer.withLogAddress,
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: Number(PORT) })),
  Layer.provide(BackendLive)
)

NodeRuntime.runMain(Layer.launch(AppLive))
