/** Tests over two sessions in virtual time, which know the library by its public entries alone. */
import { it } from "@effect/vitest"
import { MuxadoError, MuxStream, type Session, type SessionOptions } from "effect-muxado"
import { Census, SimulatedSessions, VirtualTime } from "effect-muxado/testing"
import { Cause, Effect, Exit, Option, type Scope } from "effect"
import { decoded } from "./sessions.js"

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
export const sessionTest = (
  name: string,
  body: (sessions: Sessions) => Effect.Effect<void, unknown, Scope.Scope>,
  options: SimulatedSessions.Options = {}
): void => it.effect(name, () => scenario(body, options))

export const echoWhole = (stream: MuxStream.MuxStream) =>
  Effect.flatMap(MuxStream.readAll(stream), (bytes) => MuxStream.write(stream, bytes))

/** Writes, finishes, and reads the answer. */
export const call = (session: Session.SessionService, data: Uint8Array | string = "hello") =>
  session.withStream((stream) =>
    Effect.zipRight(
      MuxStream.write(stream, data),
      Effect.zipRight(MuxStream.finish(stream), Effect.map(MuxStream.readAll(stream), decoded))
    )
  )

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
