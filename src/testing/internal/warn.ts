/** A warning that a person sees with loggers and without. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Logger from "effect/Logger"

/** Logs the lines as one warning. If the tracer's logger is the only one, as in `it.effect`, writes to the console. */
export const warn = (lines: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.flatMap(FiberRef.get(FiberRef.currentLoggers), (loggers) => {
    const message = lines.join("\n  ")
    return HashSet.every(loggers, (logger) => logger === Logger.tracerLogger)
      ? Console.warn(message)
      : Effect.logWarning(message)
  })
