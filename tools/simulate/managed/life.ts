/** The life of one managed session in a program: made, used, served, and ended. */
import { ManagedSession, type Session } from "effect-muxado"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { within } from "../sessions/concurrency.js"
import type { Run } from "../sessions/run.js"
import { Call, handler } from "./call.js"
import { caller } from "./call.js"
import type { Desk } from "./callers.js"
import { callRepeatedly } from "./callers.js"
import type { Client } from "./client.js"
import type { Network } from "./network.js"
import type { World } from "./profile.js"
import { sessionsOf } from "./rest.js"

/** What the end takes beyond the limits of the options, in milliseconds. */
const SLACK = 2000

export interface Life extends Desk {
  readonly scope: Scope.CloseableScope
  /** The fibers of the program: callers, readers of the status and of events, and those that serve. */
  readonly callers: ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>
  readonly others: ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>
}

export const begin = (
  client: Client,
  world: World,
  network: Network,
  calls: Map<number, Call>,
  made: (session: ManagedSession.ManagedSessionService) => void
): Effect.Effect<Life> =>
  Effect.gen(function* () {
    const { run } = client
    const scope = yield* Scope.make()
    client.isHealthy = () => network.isHealthy(client)
    client.onConnected = (event) => network.connected(client, event)
    const session = yield* ManagedSession.make({
      connect: network.connect(client),
      typed: world.typed,
      heartbeat: world.typed ? world.heartbeat : false,
      ...client.options
    }).pipe(
      Effect.tap((service) => Effect.sync(() => made(service))),
      Scope.extend(scope),
      Effect.orDie
    )
    const desk: Desk = { client, world, session, calls }
    const reading = Stream.runForEach(session.events, (event) => Effect.sync(() => client.read(event))).pipe(
      Effect.tap(() => Effect.sync(() => client.readAll()))
    )
    let last: ManagedSession.Status | undefined
    const watching = Stream.runForEach(session.status.changes, (status) =>
      Effect.sync(() => {
        last = status
      })
    ).pipe(
      Effect.tap(() => Effect.sync(() => client.insist(last?._tag === "Closed", `the last status is ${last?._tag}`)))
    )
    const others = yield* Effect.forEach([reading, watching, serve(client, session, calls)], Effect.fork)
    const callers = yield* Effect.forEach(Array.from({ length: client.profile.callers }), () =>
      Effect.fork(callRepeatedly(desk))
    )
    run.tell(`${client.name}: ${JSON.stringify(client.profile)}`)
    return { ...desk, scope, others, callers }
  })

/** Takes the streams that servers open, as `profile.serves` says. */
const serve = (
  client: Client,
  session: Session.SessionService,
  calls: ReadonlyMap<number, Call>
): Effect.Effect<void> => {
  const { profile, run } = client
  if (profile.serves === "no") return Effect.void
  if (profile.serves === "serve") return session.serve((stream) => handler(run, calls, stream))
  const one: Effect.Effect<void> = Effect.suspend(() => {
    let isOver = false
    return Effect.scoped(
      Effect.flatMap(
        Effect.tapError(session.accept, () =>
          Effect.sync(() => {
            isOver = true
          })
        ),
        (stream) => handler(run, calls, stream)
      )
    ).pipe(
      Effect.exit,
      Effect.flatMap(() => (isOver ? Effect.void : one))
    )
  })
  return Effect.all([one, one], { concurrency: "unbounded", discard: true })
}

/** What a server does on a connection: it serves calls, and calls the client now and then. */
export const serveAndPush =
  (run: Run, world: World, calls: Map<number, Call>) =>
  (session: Session.SessionService, client: Client): Effect.Effect<void> => {
    const { random } = run
    const pushes = client.profile.serves === "no" ? 0 : random.between(0, 2)
    const push = Effect.suspend(() => {
      const call = new Call(run, calls.size, "short")
      calls.set(call.id, call)
      run.count("call of a server")
      return Effect.exit(
        within(
          session.withStream((stream) => caller(call, stream)),
          5000
        )
      )
    })
    const pushing = Effect.repeatN(
      Effect.zipRight(
        Effect.suspend(() => Effect.sleep(random.size(world.calmAt / 2))),
        push
      ),
      pushes - 1
    )
    return Effect.gen(function* () {
      const pusher = yield* Effect.fork(pushes === 0 ? Effect.void : pushing)
      yield* session.serve((stream) => handler(run, calls, stream))
      yield* Fiber.interrupt(pusher)
    })
  }

/** Ends it as its profile says, and then its scope. */
export const end = (life: Life, network: Network): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { client, scope, session } = life
    const { closeTimeout, drainTimeout, ending, moveGrace } = client.profile
    const { run } = client
    run.count(`end: ${ending}`)
    run.tell(`${client.name} ends: ${ending}`)
    // what was replaced before may still finish its streams
    const limit = Math.max(drainTimeout, moveGrace) + 4 * closeTimeout + SLACK
    client.isEnding = true
    yield* endsWithin(client, ending, limit, endingOf(life))
    yield* endsWithin(client, "the end of the scope", 2 * limit, Scope.close(scope, Exit.void))
    yield* Effect.yieldNow()
    client.insist(client.status._tag === "Closed", `${client.status._tag} after its end`)
    const left = network.open.filter((connection) => connection.client === client)
    client.insist(left.length === 0, `connection ${left[0]?.number} is left after the end`)
    client.insist(sessionsOf(session) === 0, `${sessionsOf(session)} sessions are left after the end`)
    yield* endsWithin(
      client,
      "callers after the end",
      // they pause before each call, and make a call that is refused again
      client.profile.callsEach * (life.world.calmAt / 4 + 2000) + 40_000,
      Fiber.awaitAll(life.callers)
    )
    yield* endsWithin(client, "readers after the end", SLACK, Fiber.awaitAll(life.others))
    for (const fiber of [...life.callers, ...life.others]) {
      const exit = yield* Fiber.await(fiber)
      client.insist(Exit.isSuccess(exit), `a fiber of the program died: ${String(exit)}`)
    }
    const [draining, closed] = yield* Effect.all([session.draining, session.closed])
    client.insist(draining._tag === closed._tag, `it drained as ${draining._tag} and closed as ${closed._tag}`)
    run.outcome(`managed session ${closed._tag}`)
    const late = yield* Effect.exit(session.withStream(() => Effect.void))
    client.insist(Exit.isFailure(late), "a call after the end succeeds")
    const stats = yield* session.stats
    const { backlog, bufferedBytes, grownBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } = stats
    const counts = backlog + bufferedBytes + grownBytes + inboundStreams + outboundStreams + queuedBytes + tableSize
    client.insist(counts === 0, `something is left: ${JSON.stringify(stats)}`)
  })

const endingOf = ({ client, session }: Life): Effect.Effect<void> => {
  switch (client.profile.ending) {
    case "scope":
      return Effect.void
    case "drain":
      return session.drain()
    case "close":
      return session.close
    case "closeWith":
      return session.closeWith({ code: 300, debug: "enough" })
  }
}

const endsWithin = (client: Client, what: string, limit: number, effect: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.map(within(Effect.disconnect(effect), limit), (ended) =>
    client.insist(ended._tag === "Some", `not over after ${limit} ms: ${what}`)
  )
