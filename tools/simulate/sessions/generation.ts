/** Two sessions over one connection, from its beginning to its end. */
import type { SessionOptions, Transport } from "effect-muxado"
import { Session } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { race } from "../../../src/internal/support/race.js"
import type { Call } from "./call.js"
import { handler } from "./call.js"
import { callRepeatedly } from "./callers.js"
import { direct } from "./direct.js"
import { corruptible, strike } from "./faults.js"
import type { Generation } from "./profile.js"
import type { Run } from "./run.js"
import { within } from "./concurrency.js"

/** How long calls may take where nothing hinders them, and where they may wait in vain; in milliseconds. */
const CALM_LIMIT = 3_600_000
const LIMIT = 60_000

/** What a session's end may take beyond its options. */
const SLACK = 2000

export const generation = (run: Run, options: Generation, calls: Map<number, Call>): Effect.Effect<void> =>
  Effect.gen(function* () {
    run.tainted = false
    let calm = options.fault === "none" && options.endingAt === undefined
    const link = yield* SimulatedTransport.makePair(options.link)
    const near = corruptible(run, link.client)
    const far = corruptible(run, link.server)
    const scopes = [yield* Scope.make(), yield* Scope.make()] as const
    const over = (transport: Transport.TransportService) =>
      options.direct ? direct(run, transport) : Effect.succeed(transport)
    const client = yield* Scope.extend(sessionOver("client", yield* over(near.transport), options.client), scopes[0])
    const server = yield* Scope.extend(sessionOver("server", yield* over(far.transport), options.server), scopes[1])
    const sessions = [client, server] as const
    const serving = yield* Effect.forEach(sessions, (session) => Effect.fork(serve(run, options, calls, session)))
    const side = run.random.pick([near, far])
    const striking = yield* Effect.fork(
      Effect.zipRight(Effect.sleep(options.faultAt), strike(run, options.fault, link, side))
    )
    const calling = yield* Effect.forEach(Array.from({ length: options.callers }), (_, index) => {
      const session = run.random.chance(0.6) ? client : server
      const typed = options.client.typed === true
      const window = Math.min(options.client.peerWindow ?? 0, options.server.peerWindow ?? 0)
      const parts = { size: options.size, typed, crampedPings: window < 200, isCalm: () => calm }
      const desk = { run, calls, session, ...parts }
      return Effect.fork(Effect.zipRight(Effect.sleep(index % 3), callRepeatedly(desk, options.callsEach)))
    })
    const limit = options.endingAt ?? (calm ? CALM_LIMIT : LIMIT)
    const done = yield* within(Fiber.awaitAll(calling), limit)
    if (calm) {
      run.require(done._tag === "Some", "calls go on for ever")
      yield* rest(run, calls, sessions)
    }
    calm = false
    yield* end(run, options, sessions, scopes)
    yield* Fiber.interrupt(striking)
    // whoever called or served hears of the end, and is done
    yield* endsWithin(run, "calls after the end of the session", Fiber.awaitAll(calling), 30_000)
    yield* endsWithin(run, "serving after the end of the session", Fiber.awaitAll(serving), 30_000)
    for (const exit of [...(yield* Fiber.awaitAll(calling)), ...(yield* Fiber.awaitAll(serving))]) {
      run.insist(Exit.isSuccess(exit), `a caller or a server died: ${String(exit)}`)
    }
    for (const call of calls.values()) run.insist(call.handling === 0, `call ${call.number} is still handled`)
    for (const session of sessions) yield* checkEmpty(run, session, 0)
    run.outcome(`session ${(yield* client.closed)._tag}`)
  }).pipe(Effect.scoped)

const sessionOver = (role: "client" | "server", transport: Transport.TransportService, options: SessionOptions) =>
  Effect.orDie(Session.fromTransport(transport, { ...options, role }))

const serve = (
  run: Run,
  { concurrency, servers }: Generation,
  calls: ReadonlyMap<number, Call>,
  session: Session.SessionService
): Effect.Effect<void> => {
  if (servers === "serve") {
    const bounded = concurrency === Infinity ? "unbounded" : concurrency
    return session.serve((stream) => handler(run, calls, stream, true), { concurrency: bounded })
  }
  const one: Effect.Effect<void> = Effect.suspend(() => {
    // now and then nobody waits any more for what may just have come
    const patience = patienceOf(run)
    let more = true
    const accepting = Effect.tapError(session.accept, () =>
      Effect.sync(() => {
        more = false
      })
    )
    run.count("accept")
    return Effect.scopedWith((scope) => {
      const watched = watchFinalizers(scope)
      const accepted = Scope.extend(
        race(Effect.map(accepting, Option.some), Effect.as(patience, Option.none())),
        watched.scope
      )
      return Effect.flatMap(accepted, (stream): Effect.Effect<void, unknown> => {
        if (Option.isSome(stream)) return handler(run, calls, stream.value, false)
        // it may have been accepted in the very step in which nobody waited any more: its caller is told by an RST
        if (watched.isUsed()) run.losesAccepted()
        return Effect.fail("impatient")
      })
    }).pipe(
      Effect.exit,
      Effect.flatMap(() => (more ? one : Effect.void))
    )
  })
  return Effect.all(
    Array.from({ length: Math.min(concurrency, 20) }, () => one),
    { concurrency: "unbounded", discard: true }
  )
}

/** A scope that says whether it has something to release. */
const watchFinalizers = (scope: Scope.Scope): { readonly scope: Scope.Scope; readonly isUsed: () => boolean } => {
  let used = false
  const watched = new Proxy(scope, {
    get: (target, key, receiver): unknown => {
      used ||= key === "addFinalizer"
      return Reflect.get(target, key, receiver)
    }
  })
  return { scope: watched, isUsed: () => used }
}

/** How long somebody waits for a stream: for ever, for a while, or until just when one may come. */
const patienceOf = (run: Run): Effect.Effect<void> => {
  const { random } = run
  const until = (what: "begins" | "arrives", yields: number) =>
    Effect.zipRight(
      Effect.async<void>((resume) => Effect.sync(run.whenNext(what, () => resume(Effect.void)))),
      Effect.repeatN(Effect.yieldNow(), random.below(yields))
    )
  switch (random.below(5)) {
    case 0:
      return Effect.sleep(random.pick([1, 2, 5, 10, 80, 100]))
    case 1:
      return until("begins", 40)
    case 2:
      return until("arrives", 4)
    default:
      return Effect.never
  }
}

/** Nobody calls any more: what the callers have left behind ends by itself. */
const rest = (run: Run, calls: ReadonlyMap<number, Call>, sessions: ReadonlyArray<Session.SessionService>) =>
  Effect.gen(function* () {
    // what was reset here may still be on its way to where nobody has heard of it
    for (let patience = 600, quiet = 0; quiet < 10; patience--) {
      const handling = [...calls.values()].filter((call) => call.handling > 0)
      const stats = yield* Effect.forEach(sessions, (session) => session.stats)
      // one that has ended may still wait to be accepted
      const streams = stats.map((side) => side.inboundStreams + side.outboundStreams + side.backlog)
      quiet = handling.length === 0 && streams.every((count) => count === 0) ? quiet + 1 : 0
      run.require(patience > 1, `left behind: ${handling.map((call) => call.number).join()}; streams ${streams.join()}`)
      yield* Effect.sleep(100)
    }
    for (const session of sessions) yield* checkEmpty(run, session, 2)
  })

const checkEmpty = (run: Run, session: Session.SessionService, heartbeats: number) =>
  Effect.map(session.stats, (stats) => {
    const { backlog, bufferedBytes, grownBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } = stats
    const left = backlog + bufferedBytes + grownBytes + inboundStreams + outboundStreams
    run.insist(
      left === 0 && queuedBytes % 4 === 0,
      `something is left in the ${session.role}: ${JSON.stringify(stats)}`
    )
    run.insist(tableSize <= heartbeats, `streams are left in the table of the ${session.role}: ${tableSize}`)
  })

/** Ends the sessions in one of the ways there are, and then their scopes. */
const end = (
  run: Run,
  { client, ending, server }: Generation,
  [near, far]: readonly [Session.SessionService, Session.SessionService],
  scopes: ReadonlyArray<Scope.CloseableScope>
) =>
  Effect.gen(function* () {
    run.count(`end: ${ending}`)
    const patience = Math.max(...[client, server].map((options) => endOf(options))) + SLACK
    yield* endsWithin(run, ending, endings(run, near, far)[ending], 2 * patience)
    const closing = Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { concurrency: 2 })
    yield* endsWithin(run, "the end of the scopes", closing, 2 * patience)
  })

const endings = (
  run: Run,
  near: Session.SessionService,
  far: Session.SessionService
): { readonly [E in Generation["ending"]]: Effect.Effect<unknown> } => {
  const both = (effects: ReadonlyArray<Effect.Effect<void>>) => Effect.all(effects, { concurrency: 2 })
  return {
    drain: near.drain(),
    drainBoth: both([near.drain(), far.drain(run.random.size(3000))]),
    close: far.close,
    closeBoth: both([near.close, far.close]),
    scope: Effect.void,
    goAway: Effect.zipRight(near.goAway({ debug: "to be continued" }), near.drain(500))
  }
}

/** Draining, sending the rest, and the end of the transport, in milliseconds. */
const endOf = ({ closeTimeout = 2000, drainTimeout = 5000 }: SessionOptions): number =>
  Number(drainTimeout) + 2 * Number(closeTimeout)

const endsWithin = (run: Run, what: string, effect: Effect.Effect<unknown>, limit: number): Effect.Effect<void> =>
  Effect.flatMap(within(Effect.disconnect(effect), limit), (ended) =>
    Effect.sync(() => run.insist(ended._tag === "Some", `not over after ${limit} ms: ${what}`))
  )
