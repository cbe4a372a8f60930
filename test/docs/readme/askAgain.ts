import { Effect, type Layer, Schedule } from "effect"
import { MuxadoError, MuxStream, Session } from "effect-muxado"

const backoff = Schedule.intersect(Schedule.exponential("10 millis"), Schedule.recurs(5))

const ask = (request: string) =>
  Effect.flatMap(Session.Session, (session) =>
    session.withStream((stream) =>
      MuxStream.write(stream, request).pipe(
        Effect.zipRight(MuxStream.finish(stream)),
        Effect.zipRight(MuxStream.readAll(stream))
      )
    )
  )

export const askAgain = <E>(request: string, ClientLive: Layer.Layer<Session.Session, E>) =>
  ask(request).pipe(
    // the server refused the stream and did nothing: repeat the call on the same session
    Effect.retry({ while: (error) => MuxadoError.retry(error) === "SameSession", schedule: backoff }),
    Effect.provide(ClientLive),
    // the server did nothing, and this session opens no more streams: each attempt makes a new connection
    Effect.retry({ while: (error) => MuxadoError.retry(error) === "NewSession", schedule: backoff })
  )
