/** What a program logs. */
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"

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
