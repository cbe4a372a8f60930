import { Effect } from "effect"
import { MuxStream, type Session } from "effect-muxado"

const StreamType = { Measure: 1, Shout: 2 } as const
const UNKNOWN_TYPE = 1000 // a reset code of the application: 256 or above

export const serve = (session: Session.SessionService) =>
  session.serve((stream) => {
    switch (stream.type) {
      case StreamType.Measure:
        return Effect.flatMap(MuxStream.readAll(stream), ({ length }) => MuxStream.write(stream, `${length} bytes`))
      case StreamType.Shout:
        return Effect.flatMap(MuxStream.readAll(stream), (bytes) =>
          MuxStream.write(stream, new TextDecoder().decode(bytes).toUpperCase())
        )
      default:
        return MuxStream.reset(stream, UNKNOWN_TYPE) // the opener's call fails with StreamReset, which has this code
    }
  })

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
