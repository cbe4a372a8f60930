/** The server: sessions whose streams are echoed. */
import type { MuxadoError, Session, SessionServer } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import { NodeSessionServer } from "effect-muxado/node"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { isIPv6 } from "node:net"
import type { CertificateFailed } from "../shared/certificate.js"
import { throwAwayCertificate } from "../shared/certificate.js"
import type { Serve } from "./arguments.js"
import { errorFields, print, printEvent } from "./output.js"

type ListenError = MuxadoError.ServerFailed | MuxadoError.InvalidOptions | CertificateFailed

/** Serves until `stop`, then drains. */
export const serve = (command: Serve, stop: Effect.Effect<void>): Effect.Effect<void, ListenError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* listen(command)
      const { address } = server
      yield* print(
        address._tag === "TcpAddress"
          ? `listening ${isIPv6(address.hostname) ? `[${address.hostname}]` : address.hostname}:${address.port}`
          : `listening ${address.path}`
      )
      let sessions = 0
      const run = server.run((session) =>
        Effect.suspend(() => narrated(++sessions, session, command.hold ? Effect.void : session.serve(echo)))
      )
      yield* Effect.raceFirst(run, stop)
    })
  )

const listen = ({
  host,
  port,
  session,
  tls
}: Serve): Effect.Effect<SessionServer.SessionServerService, ListenError, Scope.Scope> =>
  tls
    ? Effect.flatMap(throwAwayCertificate(), ({ cert, key }) =>
        NodeSessionServer.makeTls({ host, port, cert, key }, session)
      )
    : NodeSessionServer.makeTcp({ host, port }, session)

/** Writes each chunk before it reads the next. So if a client does not read, the server does not read from it. */
const echo = (stream: MuxStream.MuxStream): Effect.Effect<void, MuxadoError.StreamError> =>
  Effect.flatMap(MuxStream.read(stream), (chunk) =>
    chunk._tag === "None"
      ? MuxStream.finish(stream)
      : Effect.zipRight(MuxStream.write(stream, chunk.value), echo(stream))
  )

/** Prints that the session has begun, and once that it has ended, also when the server stops. */
const narrated = (number: number, session: Session.SessionService, work: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    let told = false
    const tellEnd = Effect.gen(function* () {
      const end = yield* session.closed
      if (told) return
      told = true
      const milliseconds = (yield* Clock.currentTimeMillis) - began
      yield* printEvent("session-closed", {
        session: number,
        ...errorFields(end),
        milliseconds,
        stats: yield* session.stats
      })
    })
    yield* printEvent("session-opened", { session: number, role: session.role })
    yield* Effect.ensuring(
      Effect.zipRight(work, tellEnd),
      Effect.suspend(() => (told ? Effect.void : Effect.zipRight(session.drain(), tellEnd)))
    )
  })
