import { Effect } from "effect"
import { MuxStream, type Session } from "effect-muxado"

const StreamType = { Measure: 1, Shout: 2 } as const

const measure = (stream: MuxStream.MuxStream) =>
  Effect.flatMap(MuxStream.readAll(stream), ({ length }) => MuxStream.write(stream, `${length} bytes`))

const shout = (stream: MuxStream.MuxStream) =>
  Effect.flatMap(MuxStream.readAll(stream), (bytes) =>
    MuxStream.write(stream, new TextDecoder().decode(bytes).toUpperCase())
  )

/** Both run until the session ends. Each gets the streams of its type, and each has its own limit. */
export const serve = (session: Session.SessionService) =>
  Effect.all(
    [
      session.serve(measure, { type: StreamType.Measure }),
      session.serve(shout, { type: StreamType.Shout, concurrency: 10 })
    ],
    { concurrency: "unbounded" }
  )

export const call = (session: Session.SessionService, type: number, request: string) =>
  session.withStream(
    (stream) =>
      MuxStream.write(stream, request).pipe(
        Effect.zipRight(MuxStream.finish(stream)),
        Effect.zipRight(MuxStream.readAll(stream)),
        Effect.map((answer) => new TextDecoder().decode(answer))
      ),
    { type }
  )
