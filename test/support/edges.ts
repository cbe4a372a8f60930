/** What the tests of this folder share: they know the library by its public entries alone. */
import { it } from "@effect/vitest"
import { MuxadoError, MuxStream, type Session, type SessionOptions } from "effect-muxado"
import { Census, SimulatedSessions, VirtualTime } from "effect-muxado/testing"
import { Cause, Effect, Exit, Logger, Option, type LogLevel, type Scope } from "effect"

/** A value that the types do not allow, as JavaScript or an `any` gives it. */
export const wrong = <A>(value: unknown): A => value as A

export const quick: SessionOptions = { drainTimeout: 100, closeTimeout: 100 }

type Sessions = SimulatedSessions.SimulatedSessionsService

const scenario = (
  body: (sessions: Sessions) => Effect.Effect<void, unknown, Scope.Scope>,
  options: SimulatedSessions.Options
): Effect.Effect<void, unknown> =>
  Effect.flatMap(SimulatedSessions.make({ both: quick, ...options }), body).pipe(
    Effect.scoped,
    VirtualTime.run,
    Census.leavesNothing
  )

/** A test over two sessions in virtual time, which leaves nothing behind. */
export const test = (
  name: string,
  body: (sessions: Sessions) => Effect.Effect<void, unknown, Scope.Scope>,
  options: SimulatedSessions.Options = {}
): void => it.effect(name, () => scenario(body, options))

export const echo = (stream: MuxStream.MuxStream) =>
  Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes))

/** Writes, finishes, and reads the answer. */
export const call = (session: Session.SessionService, data: Uint8Array | string = "hello") =>
  session.withStream((stream) =>
    Effect.zipRight(
      MuxStream.write(stream, data),
      Effect.zipRight(MuxStream.finish(stream), Effect.map(MuxStream.readAll(stream), text))
    )
  )

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const shown = (error: unknown): string =>
  MuxadoError.isMuxadoError(error)
    ? `${error._tag}: ${error.message}`
    : error instanceof Error
      ? `${error.name}: ${error.message}`
      : String(error)

/**
 * How an effect ends, in one line: `ok`, `fails ...`, `dies ...`, `is interrupted`, or `waits` after a minute of the
 * test's clock.
 */
export const ending = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  effect.pipe(
    Effect.timeoutOption("1 minute"),
    Effect.exit,
    Effect.map((exit) => {
      if (Exit.isSuccess(exit)) return Option.isNone(exit.value) ? "waits" : "ok"
      if (Cause.isInterruptedOnly(exit.cause)) return "is interrupted"
      const failure = Cause.failureOption(exit.cause)
      if (Option.isSome(failure)) return `fails ${shown(failure.value)}`
      return `dies ${shown(Option.getOrUndefined(Cause.dieOption(exit.cause)))}`
    })
  )

export interface Line {
  readonly level: LogLevel.LogLevel
  readonly message: string
}

/** Runs the effect, and keeps what it logs. */
export const logged = <A, E, R>(
  effect: (lines: ReadonlyArray<Line>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const lines: Array<Line> = []
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      lines.push({ level: logLevel, message: Array.isArray(message) ? message.map(String).join(" ") : String(message) })
    })
    return effect(lines).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

/** For tests that make the library log, and look at something else. */
export const quietly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => logged(() => effect)
