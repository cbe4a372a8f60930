import { Effect } from "effect"
import { ManagedSession, MuxStream } from "effect-muxado"

/** A payment must not be made twice. So the call is repeated only while the server has certainly done nothing. */
export const pay = (order: string) =>
  Effect.flatMap(ManagedSession.ManagedSession, (session) =>
    session.withStream(
      (stream) =>
        MuxStream.write(stream, order).pipe(
          Effect.zipRight(MuxStream.finish(stream)),
          Effect.zipRight(MuxStream.readAll(stream)),
          Effect.as("Paid" as const)
        ),
      { retry: true } // with a backoff, and on another session if this one has ended or leaves
    )
  ).pipe(
    // no server within `openTimeout`: nothing was sent
    Effect.catchTag("SessionUnavailable", ({ message }) => Effect.as(Effect.logError(message), "NotPaid" as const)),
    // every other error of a stream; after "Unknown", ask the server
    Effect.catchAll(({ processed }) => Effect.succeed(processed === "no" ? ("NotPaid" as const) : ("Unknown" as const)))
  )
