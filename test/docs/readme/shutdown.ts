import { Effect, Option } from "effect"
import { MuxStream, type Session } from "effect-muxado"

/** A line each second until the session drains: then the stream ends, and is not cut. */
export const serveTicks = (session: Session.SessionService) =>
  session.serve((stream) =>
    MuxStream.write(stream, "tick\n").pipe(
      Effect.zipRight(Effect.timeoutOption(session.draining, "1 second")),
      Effect.repeat({ until: Option.isSome })
    )
  )

export const leave = (session: Session.SessionService) => session.drain("30 seconds")

/** At once: open streams fail, and the peer reads why. */
export const stop = (session: Session.SessionService) => session.closeWith({ code: 1000, debug: "moving" })
