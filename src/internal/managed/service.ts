/** Makes the service of a managed session: it checks the arguments and calls the parts that do the work. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { InvalidOptions } from "../../MuxadoError.js"
import { notOptions, saying, serveOver, withoutUse } from "../session/service.js"
import type { GoAwayOptions, SessionService } from "../session/sessionService.js"
import { describe } from "../support/describe.js"
import { inspectable } from "../support/inspect.js"
import { SessionTypeId } from "../support/typeIds.js"
import { Calls } from "./calls.js"
import type { Over } from "./managed.js"
import { Managed } from "./managed.js"
import type { Event, ManagedSessionService, WithStreamOptions } from "./managedService.js"
import type { Resolved } from "./options.js"
import { RETRY } from "./options.js"
import { retrySchedule } from "./retrying.js"

const CLOSED: Over = { _tag: "Closed" }

export const make = <E, R>(
  options: Resolved<E, R>
): Effect.Effect<ManagedSessionService, never, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.zip(Managed.make(options), Effect.clock), ([managed, clock]) =>
      // a fiber with another clock may close the scope; the sessions keep their own clock
      Effect.withClock(
        managed.finish(CLOSED, (session) => session.drain(options.session.drainTimeout)),
        clock
      )
    ),
    ([managed, clock]) =>
      serviceOf(managed, (over, end) => {
        const finishing = managed.finish(over, end)
        // it continues even if the caller is interrupted; a finalizer runs it itself, so that simulated time passes
        return Effect.checkInterruptible((isInterruptible) =>
          Effect.withClock(
            isInterruptible ? Effect.flatMap(Effect.forkDaemon(finishing), Fiber.join) : finishing,
            clock
          )
        )
      })
  )

type Ending = (over: Over, end: (session: SessionService) => Effect.Effect<void>) => Effect.Effect<void>

const serviceOf = <E, R>(managed: Managed<E, R>, ending: Ending): ManagedSessionService => {
  const { options, serving, status } = managed
  const calls = new Calls(managed)
  const closeWith = (reason?: GoAwayOptions) =>
    saying("closeWith", reason, (code, debug) =>
      ending({ _tag: "Closed", ...reason }, (session) => session.closeWith({ code, debug }))
    )
  const withStream: ManagedSessionService["withStream"] = (use, requested) => {
    const wrong = withoutUse(use) ?? wrongCall(requested)
    if (wrong !== undefined) return Effect.fail(wrong)
    const { retry, ...opening } = requested ?? {}
    const schedule = retry === undefined ? options.retry : (retrySchedule(retry) ?? false)
    const asked = requested === undefined ? undefined : opening
    return schedule === false ? calls.withStream(use, asked) : calls.withRetry(use, asked, schedule)
  }
  return {
    [SessionTypeId]: SessionTypeId,
    ...inspectable(() => ({
      _id: "effect-muxado/ManagedSession",
      status: status.value._tag,
      sessions: managed.lives.size
    })),
    role: "client",
    get peer() {
      return managed.current?.peer
    },
    open: (requested) => calls.open(requested),
    withStream,
    accept: Effect.uninterruptibleMask((restore) =>
      Effect.tap(serving.accept(restore), (stream) =>
        Effect.addFinalizer((exit) => Effect.sync(() => stream.endWith(exit)))
      )
    ),
    serve: serveOver({ accepting: serving, refusing: managed.refusing }, options.session.typed),
    ping: calls.ping,
    goAway: (reason) =>
      saying("goAway", reason, (code, debug) => managed.forEachSession((session) => session.goAway({ code, debug }))),
    close: closeWith({}),
    closeWith,
    drain: (grace = options.session.drainTimeout) =>
      Duration.decodeUnknown(grace)._tag === "None"
        ? Effect.die(new InvalidOptions({ detail: `drain: the grace must be a duration, not ${describe(grace)}` }))
        : ending(CLOSED, (session) => session.drain(grace)),
    draining: managed.draining.await,
    closed: managed.ended.await,
    stats: managed.stats,
    status: status.subscribable,
    events: eventsOf(managed),
    reconnect: Effect.sync(() => managed.hurry())
  }
}

/** It ends with the managed session. `undefined` is the end. */
const eventsOf = <E, R>(managed: Managed<E, R>): Stream.Stream<Event> =>
  Stream.unwrapScoped(
    Effect.map(PubSub.subscribe(managed.events), (events) =>
      managed.ended.isDone
        ? Stream.empty
        : Stream.fromQueue(events).pipe(Stream.takeWhile((event) => event !== undefined))
    )
  )

const wrongCall = (requested: WithStreamOptions | undefined): InvalidOptions | undefined => {
  if (requested === undefined) return undefined
  const wrong = notOptions("withStream", requested, "{ type: 1, retry: true }")
  if (wrong !== undefined) return wrong
  const { retry } = requested
  return retry === undefined || retrySchedule(retry) !== undefined
    ? undefined
    : new InvalidOptions({ detail: `withStream: retry must be ${RETRY}, not ${describe(retry)}` })
}
