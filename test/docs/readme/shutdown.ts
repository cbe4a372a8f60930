import { Effect, Option } from "effect"
import { MuxStream, type Session } from "effect-muxado"

/** Writes a line each second. When the session drains, the handler succeeds, so that the stream ends with FIN. */
export const serveTicks = (session: Session.SessionService) =>
  session.serve((stream) =>
    MuxStream.write(stream, "tick\n").pipe(
      Effect.zipRight(Effect.timeoutOption(session.draining, "1 second")),
      Effect.repeat({ until: Option.isSome })
    )
  )

export const leave = (session: Session.SessionService) => session.drain("30 seconds")

/** Ends the session at once. Open streams fail, and the peer receives the code and the text. */
export const stop = (session: Session.SessionService) => session.closeWith({ code: 1000, debug: "moving" })
