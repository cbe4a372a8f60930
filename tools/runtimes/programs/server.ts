/** The server of a pair: `server SETTINGS`, see `messages.ts`. */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type { SocketServerError } from "@effect/platform/SocketServer"
import { MuxStream, type MuxadoError, type Session, SessionServer } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { listen, say } from "./lines.js"
import type { FromServer, ServerSettings } from "./messages.js"
import { BULK_BYTES, decodeServerSettings, SERVER_SEED, StreamType, ToServer } from "./messages.js"
import type { Digest } from "./payload.js"
import { receive, send } from "./payload.js"

const HOST = "127.0.0.1"

let sessions = 0
let parked = 0
let interrupted = 0
let read: Digest = { digest: "", bytes: 0 }

const keep = (digest: Digest): void => {
  read = digest
}

const handle =
  (session: Session.SessionService) =>
  (stream: MuxStream.MuxStream): Effect.Effect<void, unknown> => {
    switch (stream.type) {
      case StreamType.Echo:
        return Stream.run(MuxStream.toStream(stream), MuxStream.toSink(stream))
      case StreamType.Bulk:
        return Effect.all([send(stream, SERVER_SEED, BULK_BYTES), Effect.map(receive(stream), keep)], {
          concurrency: "unbounded",
          discard: true
        })
      case StreamType.FinishFirst:
        return Effect.zipRight(MuxStream.finish(stream), Effect.map(receive(stream), keep))
      case StreamType.Park:
        return Effect.suspend(() => {
          parked++
          return MuxStream.readAll(stream)
        }).pipe(
          Effect.onInterrupt(() => Effect.sync(() => interrupted++)),
          Effect.ensuring(Effect.sync(() => parked--))
        )
      case StreamType.Drain:
        return Effect.asVoid(Effect.forkDaemon(session.drain()))
      case StreamType.Late:
        return Effect.flatMap(MuxStream.readAll(stream), (all) =>
          Effect.zipRight(Effect.sleep("500 millis"), MuxStream.write(stream, all))
        )
      case StreamType.Fail:
        return Effect.zipRight(MuxStream.read(stream), Effect.fail("as asked"))
      default:
        return Effect.die(`no such stream: ${stream.type}`)
    }
  }

const serverLayer = (
  settings: ServerSettings
): Layer.Layer<
  SessionServer.SessionServer,
  SocketServerError | MuxadoError.ServerFailed | MuxadoError.InvalidOptions
> => {
  switch (settings.medium) {
    case "tcp":
      return NodeSessionServer.layerTcp({ host: HOST, port: 0 })
    case "tls":
      return NodeSessionServer.layerTls({
        host: HOST,
        port: 0,
        key: readFileSync(settings.key),
        cert: readFileSync(settings.cert)
      })
    case "unix":
      return NodeSessionServer.layerUnix({ path: settings.path })
    case "ws":
    case "ws-global":
      return Layer.provide(SessionServer.layer(), NodeSocketServer.layerWebSocket({ host: HOST, port: 0 }))
  }
}

const serve = (settings: ServerSettings) =>
  Effect.gen(function* () {
    const server = yield* SessionServer.SessionServer
    const { address } = server
    const endpoint =
      address._tag === "TcpAddress"
        ? { medium: settings.medium, port: address.port, path: "" }
        : { medium: settings.medium, port: 0, path: address.path }
    yield* Effect.forkScoped(
      server.run((session) =>
        Effect.suspend(() => {
          sessions++
          return session.serve(handle(session))
        }).pipe(Effect.ensuring(Effect.sync(() => sessions--)))
      )
    )
    say({ _tag: "Listening", endpoint } satisfies FromServer)
    return yield* Effect.never
  }).pipe(Effect.provide(serverLayer(settings)), Effect.scoped)

const decode = Schema.decodeUnknownSync(Schema.parseJson(ToServer))

listen((line) => {
  decode(line)
  say({ _tag: "State", sessions, parked, interrupted, read } satisfies FromServer)
})

Effect.runFork(serve(decodeServerSettings(process.argv[2]))).addObserver((exit) => {
  process.stderr.write(`The server ended: ${String(exit)}\n`)
  process.exit(1)
})
