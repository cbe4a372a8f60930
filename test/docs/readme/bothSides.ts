import { Effect } from "effect"
import { MuxStream, type Session } from "effect-muxado"

/** The same for both sides. It serves until its scope closes, and gives what the other side says. */
export const greet = (session: Session.SessionService) =>
  Effect.gen(function* () {
    yield* Effect.forkScoped(session.serve((stream) => MuxStream.write(stream, `I am the ${session.role}`)))
    const greeting = yield* session.withStream((stream) => MuxStream.readAll(stream))
    return new TextDecoder().decode(greeting)
  })
