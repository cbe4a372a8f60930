/** `npm run -s example:recovering`: a client makes a call each second, while its server is restarted twice. */
import { Console, Effect, Logger, LogLevel, Schedule, Stream } from "effect"
import { ManagedSession, MuxStream, SessionServer } from "effect-muxado"
import { NodeSession, NodeSessionServer } from "effect-muxado/node"
import { tmpdir } from "node:os"
import { join } from "node:path"

const path = join(tmpdir(), `recovering-${process.pid}.sock`)

const serve = (server: number) =>
  SessionServer.run((session) => session.serve((stream) => MuxStream.write(stream, `server ${server} answers`))).pipe(
    Effect.provide(NodeSessionServer.layerUnix({ path }))
  )

/** Runs a server for 2.5 seconds, drains it, and leaves the client without a server for 1.5 seconds. */
const serveBriefly = (server: number) =>
  Effect.zipRight(Effect.timeoutOption(serve(server), "2.5 seconds"), Effect.sleep("1.5 seconds"))

const call = (session: ManagedSession.ManagedSessionService) =>
  session
    .withStream(
      (stream) => Effect.zipRight(MuxStream.finish(stream), MuxStream.readAll(stream)),
      { retry: true } // again, if the server that leaves has refused the stream
    )
    .pipe(
      Effect.map((answer) => new TextDecoder().decode(answer)),
      Effect.tap((answer) => Console.log(answer))
    )

const client = Effect.gen(function* () {
  const session = yield* ManagedSession.ManagedSession
  yield* session.status.changes.pipe(
    Stream.map(({ _tag }) => `status: ${_tag}`),
    Stream.changes, // one line for several attempts
    Stream.runForEach((line) => Console.log(line)),
    Effect.forkScoped
  )
  yield* Effect.repeat(call(session), {
    schedule: Schedule.spaced("1 second"),
    until: (answer) => answer.includes("3")
  })
})

const main = Effect.gen(function* () {
  yield* Effect.forkScoped(Effect.zipRight(Effect.forEach([1, 2], serveBriefly), serve(3)))
  // the default schedule waits longer after each attempt
  const reconnect = Schedule.spaced("200 millis")
  yield* Effect.provide(client, NodeSession.layerUnix({ path }, { reconnect }))
}).pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.Error))

await Effect.runPromise(main)
