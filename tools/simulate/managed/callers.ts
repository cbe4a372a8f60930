/** The program on a managed session: it calls, is disturbed at random, and checks how each call ends and when. */
import type { ManagedSession, MuxStream } from "effect-muxado"
import type { MuxadoError } from "effect-muxado"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Fiber from "effect/Fiber"
import { within } from "../sessions/concurrency.js"
import { Call, caller, KINDS } from "./call.js"
import type { Kind } from "./call.js"
import type { Client } from "./client.js"
import type { World } from "./profile.js"

export interface Desk {
  readonly client: Client
  readonly world: World
  readonly session: ManagedSession.ManagedSessionService
  readonly calls: Map<number, Call>
}

/** Most calls end by themselves; on an untyped session nothing finds out that the peer is gone. */
const PATIENCE = 30_000

/** What the steps of a call may take beyond its limits, in milliseconds: the time is exact, up to rounding. */
const SLACK = 2

/** How long the answer to a probe takes where nothing hinders it, in milliseconds. */
const PROBE = 400

type Failure = MuxadoError.MuxadoError

export const callRepeatedly = (desk: Desk): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { client, world } = desk
    const { random } = client.run
    for (let i = 0; i < client.profile.callsEach; i++) {
      if (random.chance(0.7)) yield* Effect.sleep(random.size(world.calmAt / 4))
      if (random.chance(0.1)) yield* ping(desk)
      const call = makeCall(desk, random.pick(KINDS))
      // a call that the server certainly has not executed is made again, with the same id
      for (let tries = 0; tries < 4 && (yield* callOnce(desk, call, random.chance(0.3))); tries++) {
        client.run.count("repetition by the caller")
        yield* Effect.sleep(random.between(1, 500))
      }
    }
  })

const makeCall = ({ calls, client: { run } }: Desk, kind: Kind): Call => {
  const call = new Call(run, calls.size, kind)
  calls.set(call.id, call)
  return call
}

/** A call that nothing disturbs. Dies if it fails. */
export const callCalmly = (desk: Desk): Effect.Effect<void> =>
  Effect.gen(function* () {
    const call = makeCall(desk, "short")
    const exit = yield* counted(
      desk.client,
      Effect.exit(attempt(desk, call, { retry: true, disturbed: false, opens: false }))
    )
    desk.client.insist(Exit.isSuccess(exit), `call ${call.id} fails at rest: ${show(exit)}`)
  })

interface Manner {
  readonly retry: boolean | undefined
  readonly disturbed: boolean
  /** By `open` instead of `withStream`. */
  readonly opens: boolean
}

/** Whether it may be made again, because it certainly was not executed. */
const callOnce = (desk: Desk, call: Call, disturbed: boolean): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { client, world } = desk
    const { run } = client
    const retry = run.random.pick([undefined, true, false])
    call.isDenied = false
    run.count(`call: ${call.kind}`)
    // `open` repeats nothing
    const opens = retry === undefined && run.random.chance(0.3)
    const exit = yield* counted(client, disturb(desk, attempt(desk, call, { retry, disturbed, opens }), disturbed))
    run.tell(`${client.name} call ${call.id} ${call.kind}: ${show(exit)}`)
    run.outcome(`call ${show(exit)}`)
    if (Exit.isSuccess(exit)) return false
    const failure = Cause.failureOption(exit.cause)
    if (Option.isNone(failure)) {
      run.insist(Cause.isInterruptedOnly(exit.cause), `call ${call.id} died: ${Cause.pretty(exit.cause)}`)
      return false
    }
    const error = failure.value
    if (error.processed === "no") {
      call.isDenied = true
      run.insist(call.executed === 0, `call ${call.id} was executed although ${error._tag} denies that`)
    }
    const isSafe = !disturbed && call.kind !== "fail" && call.kind !== "die" && error._tag !== "InvalidOptions"
    if (world.graceful && isSafe && !client.isEnding) {
      run.insist(error.processed === "no", `call ${call.id} is lost to a session that was replaced: ${show(exit)}`)
      const repeats = !opens && (retry ?? client.profile.retry)
      run.insist(!repeats, `call ${call.id} fails although it is repeated: ${show(exit)}`)
    }
    return error.processed === "no"
  })

const counted = <A>(client: Client, effect: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.acquireUseRelease(
    Effect.sync(() => client.inFlight++),
    () => effect,
    () => Effect.sync(() => client.inFlight--)
  )

const attempt = (desk: Desk, call: Call, { disturbed, opens, retry }: Manner): Effect.Effect<void, Failure> =>
  Effect.suspend(() => {
    const { client, session, world } = desk
    const { random } = client.run
    let isOpen = false
    const began = client.run.engine.now
    const opened = () => {
      if (!isOpen && !disturbed) inTime(desk, began, `call ${call.id} was opened`)
      isOpen = true
    }
    const use = (stream: MuxStream.MuxStream) => Effect.suspend(() => (opened(), caller(call, stream)))
    const type = world.typed && random.chance(0.5) ? { type: random.below(1000) } : {}
    const asked = retry === undefined ? type : { ...type, retry }
    const calling = opens ? Effect.scoped(Effect.flatMap(session.open(type), use)) : session.withStream(use, asked)
    return Effect.catchAll(calling, (error) => {
      if (!isOpen && !disturbed) inTime(desk, began, `call ${call.id} failed to open`)
      return Effect.zipRight(
        error._tag === "SessionUnavailable" ? refused(desk, error) : Effect.void,
        Effect.fail(error)
      )
    })
  })

/** A call waits for a session up to `openTimeout`, and for the probes of the sessions that it tries. */
const inTime = ({ client, world }: Desk, began: number, what: string): void => {
  const { now } = client.run.engine
  const { connectTimeout, maxOutboundStreams, openTimeout, probeTimeout, verify } = client.profile
  // a call can wait for the end of another one
  if (maxOutboundStreams < 1024) return
  // a session that is not verified can fail its probe, and so can the next one
  if (openTimeout === "FailFast" && world.typed && !verify) return
  const limit =
    (openTimeout === "FailFast" ? 3 * (connectTimeout + client.longestDelay + probeTimeout) : openTimeout) + SLACK
  client.insist(now - began <= limit, `${what} after ${now - began} ms, which is more than ${limit}`)
}

/** There was no session, and the reason is a true one. */
const refused = ({ client }: Desk, error: MuxadoError.SessionUnavailable): Effect.Effect<void> => {
  const { maxWaiting, openTimeout } = client.profile
  const { status, statusAt } = client
  switch (error.reason) {
    case "Timeout":
      client.insist(openTimeout !== "FailFast", "a call waits in vain, and should fail fast")
      client.insist(error.waited >= Number(openTimeout) - SLACK, `a call waits only ${error.waited} ms`)
      // a session that is there may be probed first
      if (status._tag !== "Connected" || !client.isHealthy()) return Effect.void
      if (client.run.engine.now - statusAt <= PROBE) return Effect.void
      // the peer may have left in this very moment
      return Effect.map(Effect.sleep(1), () => {
        const stays = client.status === status && client.statusAt === statusAt
        client.insist(!stays, "a call waits in vain, and there is a session")
      })
    case "FailFast":
      return Effect.sync(() => client.insist(openTimeout === "FailFast", "a call does not wait, and should"))
    case "TooManyWaiting":
      return Effect.sync(() =>
        client.insist(client.inFlight > maxWaiting, `too many wait, and there are ${client.inFlight} calls`)
      )
    case "GaveUp":
      return Effect.sync(() =>
        client.insist(
          ["Failed", "Draining", "Closed"].includes(status._tag),
          `a call fails because it gave up, and it is ${status._tag}`
        )
      )
  }
}

const disturb = (
  { client: { run }, world }: Desk,
  call: Effect.Effect<void, Failure>,
  disturbed: boolean
): Effect.Effect<Exit.Exit<void, Failure>> => {
  const { random } = run
  if (!disturbed) {
    return world.typed || world.graceful ? Effect.exit(call) : Effect.exit(Effect.asVoid(within(call, PATIENCE)))
  }
  if (random.chance(0.4)) {
    run.count("timeout of a call")
    return Effect.exit(Effect.asVoid(within(call, random.size(5000))))
  }
  run.count("interruption of a call")
  const after = random.chance(0.5)
    ? Effect.sleep(random.size(2000))
    : Effect.repeatN(Effect.yieldNow(), random.below(60))
  return Effect.flatMap(Effect.fork(call), (fiber) => Effect.zipRight(after, Fiber.interrupt(fiber)))
}

const ping = (desk: Desk): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { client, session, world } = desk
    client.run.count("ping")
    const pinging = Effect.tapError(session.ping, (error) =>
      error._tag === "SessionUnavailable" ? refused(desk, error) : Effect.void
    )
    const exit = yield* counted(client, Effect.exit(pinging))
    client.run.tell(`${client.name} ping: ${show(exit)}`)
    if (Exit.isSuccess(exit)) return client.insist(world.typed, "an answered heartbeat on an untyped session")
    const failure = Cause.failureOption(exit.cause)
    client.insist(Option.isSome(failure), `a ping died: ${Cause.pretty(exit.cause)}`)
  })

const show = (exit: Exit.Exit<unknown, Failure>): string => {
  if (Exit.isSuccess(exit)) return "done"
  const failure = Cause.failureOption(exit.cause)
  if (Option.isNone(failure)) return Cause.isInterruptedOnly(exit.cause) ? "interrupted" : "died"
  const error = failure.value
  const reason = "reason" in error ? ` ${error.reason}` : ""
  return `${error._tag}${reason}${error.processed === "no" ? ", not processed" : ""}`
}
