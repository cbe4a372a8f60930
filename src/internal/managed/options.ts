/** Checks the options of a managed session and fills in the defaults. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Schedule from "effect/Schedule"
import type { InvalidOptions, MuxadoError, SessionFailure } from "../../MuxadoError.js"
import type { ResolvedOptions } from "../../ResolvedOptions.js"
import { checked, readSession } from "../../ResolvedOptions.js"
import type { TransportService } from "../transport/transportService.js"
import { OptionsReader, positiveDuration } from "../support/optionsReader.js"
import { defaultReconnect } from "./backoff.js"
import type { Options } from "./managedService.js"
import { retrySchedule } from "./retrying.js"

/** The options with every default filled in. Durations are in milliseconds. */
export interface Resolved<E, R> {
  readonly session: ResolvedOptions
  readonly connect: Effect.Effect<TransportService, E, R>
  readonly onDemand: boolean
  readonly reconnect: Schedule.Schedule<unknown, SessionFailure>
  readonly healthyAfter: number
  readonly isFinal: (error: SessionFailure) => boolean
  readonly connectTimeout: number
  readonly verify: boolean
  readonly openTimeout: number | "FailFast"
  readonly maxWaiting: number
  /** `Infinity` for none. */
  readonly maxAge: number
  readonly moveGrace: number
  readonly size: number
  readonly probeAfter: number
  readonly probeTimeout: number
  readonly retry: Schedule.Schedule<unknown, MuxadoError> | false
}

export const resolve = <E, R>(options: Options<E, R>): Either.Either<Resolved<E, R>, InvalidOptions> => {
  const reader = OptionsReader.over<keyof Options>(options, "ManagedSession.make({ connect, ...options })")
  const millis = (name: keyof Options, fallback: Duration.DurationInput) =>
    Duration.toMillis(reader.duration(name, fallback))
  const session = readSession(reader)
  const verify = reader.boolean("verify", session.typed)
  if (verify && !session.typed && !reader.isWrong("typed", "verify")) {
    reader.refuse("verify", "must be false where typed is false: heartbeats need typed streams")
  }
  return checked(reader, {
    session,
    connect: reader.required(
      "connect",
      Effect.never,
      "an effect that makes a transport",
      typed<Effect.Effect<TransportService, E, R>>(Effect.isEffect)
    ),
    onDemand: reader.value("dial", false, '"AtOnce" or "OnDemand"', (given) =>
      given === "OnDemand" ? true : given === "AtOnce" ? false : undefined
    ),
    reconnect: reader.value(
      "reconnect",
      defaultReconnect,
      "a Schedule",
      typed<Schedule.Schedule<unknown, SessionFailure>>(Schedule.isSchedule)
    ),
    healthyAfter: millis("healthyAfter", "10 seconds"),
    isFinal: reader.value(
      "isFinal",
      () => false,
      "a function from an error to true or false",
      typed<(error: SessionFailure) => boolean>((given) => typeof given === "function")
    ),
    connectTimeout: millis("connectTimeout", "10 seconds"),
    verify,
    openTimeout: reader.value("openTimeout", 10_000, `${DURATION} or "FailFast"`, (given) =>
      given === "FailFast" ? given : positiveMillis(given)
    ),
    maxWaiting: reader.integer("maxWaiting", 10_000, { least: 0, most: 1_000_000_000 }),
    maxAge: reader.value("maxAge", Infinity, DURATION, positiveMillis),
    moveGrace: millis("moveGrace", "30 seconds"),
    size: reader.integer("size", 1, { least: 1, most: 1_000 }),
    probeAfter: millis("probeAfter", "30 seconds"),
    probeTimeout: millis("probeTimeout", "5 seconds"),
    retry: reader.value("retry", false, RETRY, retrySchedule)
  })
}

const DURATION = 'a positive, finite duration such as "10 seconds"'

/** What `retry` may be, for an error. */
export const RETRY = "true, false or a Schedule"

const positiveMillis = (given: unknown): number | undefined => {
  const duration = positiveDuration(given)
  return duration === undefined ? undefined : Duration.toMillis(duration)
}

/** At run time only the kind of a value can be checked. The types of the options say the rest. */
const typed = <A>(isOfKind: (given: unknown) => boolean) => {
  const is = (given: unknown): given is A => isOfKind(given)
  return (given: unknown): A | undefined => (is(given) ? given : undefined)
}
