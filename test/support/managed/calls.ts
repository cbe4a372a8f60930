/** What the tests of managed sessions share: a server that echoes, a call, and recorders of status and events. */
import { Clock, Effect, Stream, type Scope } from "effect"
import { MuxStream, type ManagedSession, type Session } from "effect-muxado"

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Answers each stream with its request, and the number of the server. */
export const echo = (session: Session.SessionService, server: number): Effect.Effect<void> =>
  session.serve((stream) =>
    Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, `${text(bytes)} ${server}`))
  )

export const exchange = (stream: MuxStream.MuxStream, request: string) =>
  MuxStream.write(stream, request).pipe(
    Effect.zipRight(MuxStream.finish(stream)),
    Effect.zipRight(MuxStream.readAll(stream)),
    Effect.map(text)
  )

export const call = (
  session: ManagedSession.ManagedSessionService,
  request: string,
  options?: ManagedSession.WithStreamOptions
) => session.withStream((stream) => exchange(stream, request), options)

/** Lets all fibers run that can run now. */
export const settle: Effect.Effect<void> = Effect.sleep("1 millis")

export interface Seen {
  readonly at: number
  readonly status: ManagedSession.Status
}

/** Records each status, until the managed session is closed. */
export const statuses = (
  session: ManagedSession.ManagedSessionService
): Effect.Effect<Array<Seen>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen: Array<Seen> = []
    yield* session.status.changes.pipe(
      Stream.runForEach((status) => Effect.map(Clock.currentTimeMillis, (at) => seen.push({ at, status }))),
      Effect.forkScoped
    )
    yield* Effect.yieldNow()
    return seen
  })

export const tags = (seen: ReadonlyArray<Seen>): ReadonlyArray<string> => seen.map(({ status }) => status._tag)

/** The delay of each `Backoff`, in milliseconds. */
export const delays = (seen: ReadonlyArray<Seen>): ReadonlyArray<number> =>
  seen.flatMap(({ at, status }) => (status._tag === "Backoff" ? [status.until - at] : []))

/** Records each event. */
export const recorded = (
  session: ManagedSession.ManagedSessionService
): Effect.Effect<Array<ManagedSession.Event>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen: Array<ManagedSession.Event> = []
    yield* session.events.pipe(
      Stream.runForEach((event) => Effect.sync(() => seen.push(event))),
      Effect.forkScoped
    )
    yield* Effect.yieldNow()
    return seen
  })
