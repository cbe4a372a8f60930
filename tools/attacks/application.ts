/** What the session under attack is for: it echoes, or does nothing. */
import type { Session } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"

export type Application = "echo" | "hold"

/** What is read is written before more is read. */
const echo = (stream: MuxStream.MuxStream): Effect.Effect<void, unknown> =>
  Effect.flatMap(MuxStream.read(stream), (chunk) =>
    chunk._tag === "None"
      ? MuxStream.finish(stream)
      : Effect.zipRight(MuxStream.write(stream, chunk.value), echo(stream))
  )

export const apply = (application: Application, session: Session.SessionService): Effect.Effect<void> =>
  application === "hold" ? Effect.asVoid(session.closed) : session.serve(echo)
