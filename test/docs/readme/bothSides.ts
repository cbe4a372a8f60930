import { Effect } from "effect"
import { MuxStream, type Session } from "effect-muxado"

/** Both sides run this. It serves until its scope closes, and returns the greeting of the other side. */
export const greet = (session: Session.SessionService) =>
  Effect.gen(function* () {
    yield* Effect.forkScoped(session.serve((stream) => MuxStream.write(stream, `I am the ${session.role}`)))
    const greeting = yield* session.withStream((stream) => MuxStream.readAll(stream))
    return new TextDecoder().decode(greeting)
  })
