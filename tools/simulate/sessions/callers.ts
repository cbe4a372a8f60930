/**
 * The callers: they call repeatedly, are disturbed at random, and retry where an error promises that nothing was done.
 */
import type { MuxStream, Session } from "effect-muxado"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type { Failure, Kind } from "./call.js"
import { Call, KINDS, RELIABLE, Refusal, caller } from "./call.js"
import type { Run } from "./run.js"
import { both, within } from "./concurrency.js"

export interface Desk {
  readonly run: Run
  readonly calls: Map<number, Call>
  readonly session: Session.SessionService
  readonly size: number
  readonly typed: boolean
  /** The window has room for few heartbeats. */
  readonly crampedPings: boolean
  /** Nothing happens to the session, for now. */
  readonly isCalm: () => boolean
}

const MOST_TRIES = 8

export const callRepeatedly = (desk: Desk, times: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { random } = desk.run
    for (let i = 0; i < times; i++) {
      if (random.chance(0.3)) yield* Effect.sleep(random.size(500))
      if (desk.typed && random.chance(0.15)) yield* ping(desk)
      const kind = random.pick(KINDS)
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const again = yield* callOnce(desk, kind)
        if (!again) break
        desk.run.count("retry")
        yield* Effect.sleep(random.between(1, 200))
      }
    }
  })

/** Whether it may be tried again. */
const callOnce = (desk: Desk, kind: Kind): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { calls, isCalm, run, size } = desk
    // in one step, or another caller might take the same number
    const call = new Call(run, calls.size, kind, size)
    calls.set(call.number, call)
    run.count(`call: ${call.kind}`)
    const exit = yield* disturb(call, attempt(desk, call))
    run.tell(`call ${call.number} ${call.kind}: ${show(exit)}`)
    run.outcome(`call ${show(exit)}`)
    if (Exit.isSuccess(exit)) return false
    const failure = Cause.failureOption(exit.cause)
    if (Option.isNone(failure)) {
      run.insist(Cause.isInterruptedOnly(exit.cause), `call ${call.number} died: ${Cause.pretty(exit.cause)}`)
      return false
    }
    const error = failure.value
    if (error._tag === "Refusal") return false
    if (error.processed === "no") {
      call.denied = true
      run.require(call.handled === 0, `call ${call.number} was handled although that is denied`)
      // a session that leaves takes no more of them
      return error._tag === "StreamReset"
    }
    const reliable = RELIABLE.includes(call.kind) && !call.disturbed && isCalm()
    if (reliable && error._tag === "StreamReset" && call.handled === 0 && run.wasLost()) return false
    run.require(!reliable, `call ${call.number} ${call.kind} fails for no reason: ${error._tag} ${error.message}`)
    return false
  })

const attempt = ({ run, session, typed }: Desk, call: Call): Effect.Effect<void, Failure> => {
  const type = typed && run.random.chance(0.5) ? { type: run.random.below(0xffff_ffff) } : {}
  // what happens in the very step in which a stream ends is worth a try
  const ends = Effect.sync(() => run.now("ends"))
  const use = (stream: MuxStream.MuxStream) => Effect.ensuring(caller(call, stream), ends)
  if (run.random.chance(0.5)) return session.withStream(use, type)
  return Effect.scoped(Effect.flatMap(session.open(type), use))
}

/** Lets it go on, gives it so much time, interrupts it at some step, or makes it fail. */
const disturb = (call: Call, effect: Effect.Effect<void, Failure>): Effect.Effect<Exit.Exit<void, Failure>> => {
  const { kind, run } = call
  const { random } = run
  const what = kind === "hang" ? random.between(1, 3) : random.below(11)
  if (what >= 1 && what <= 5) call.disturbed = true
  switch (what) {
    case 1:
      run.count("timeout of a call")
      return Effect.exit(Effect.asVoid(within(effect, random.size(2000))))
    case 2:
      run.count("interruption after a while")
      return interrupted(effect, Effect.sleep(random.size(1500)))
    case 3:
      run.count("interruption at a step")
      return interrupted(effect, Effect.repeatN(Effect.yieldNow(), random.below(60)))
    case 4: {
      run.count("failure of a caller")
      const refusing = Effect.zipRight(Effect.sleep(random.size(300)), Effect.fail(new Refusal({ by: "caller" })))
      return Effect.exit(both(effect, refusing))
    }
    case 5:
      run.count("interruption as another call ends")
      return Effect.flatMap(Effect.fork(effect), (fiber) => {
        const forget = run.whenNext("ends", () => fiber.unsafeInterruptAsFork(FiberId.none))
        return Effect.ensuring(Fiber.await(fiber), Effect.sync(forget))
      })
    default:
      return Effect.exit(effect)
  }
}

const interrupted = (effect: Effect.Effect<void, Failure>, after: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* after
    return yield* Fiber.interrupt(fiber)
  })

const ping = (desk: Desk): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { isCalm, run, session } = desk
    run.count("ping")
    const patience = run.random.chance(0.3) ? run.random.size(200) : undefined
    const pinging = Effect.asVoid(session.ping)
    const limited = patience === undefined ? pinging : Effect.asVoid(within(pinging, patience))
    const exit = yield* Effect.exit(limited)
    run.tell(`ping: ${show(exit)}`)
    // a peer that has as many streams as it takes has no place for heartbeats either; and where more of them are under
    // way than fit into the window, the older ones are given up
    const refused = Exit.isFailure(exit) && (desk.crampedPings || denies(exit.cause))
    run.require(Exit.isSuccess(exit) || refused || !isCalm(), "a ping fails for no reason")
  })

const denies = (cause: Cause.Cause<{ readonly processed: string }>): boolean => {
  const failure = Cause.failureOption(cause)
  return Option.isSome(failure) && failure.value.processed === "no"
}

const show = (exit: Exit.Exit<unknown, { readonly _tag: string; readonly processed?: string }>): string => {
  if (Exit.isSuccess(exit)) return "done"
  const failure = Cause.failureOption(exit.cause)
  if (Option.isSome(failure)) {
    const { _tag, processed } = failure.value
    return processed === "no" ? `${_tag}, not processed` : _tag
  }
  return Cause.isInterruptedOnly(exit.cause) ? "interrupted" : "died"
}
