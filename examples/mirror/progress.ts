/** The progress of the mirror, on stderr: a bar on a terminal, otherwise a line each second. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Bar } from "./bar.js"
import type { Amount } from "./format.js"
import { formatBytes, formatCount } from "./format.js"

export interface Progress {
  readonly bytesSent: (count: number) => void
  readonly fileDone: () => void
}

/** Shows the progress towards `total` until the scope closes. */
export const make = Effect.fn("Progress.make")(function* (total: Amount, bar: Bar | undefined) {
  const done = { files: 0, bytes: 0 }
  yield* bar === undefined ? lines(total, done) : moving(bar, total, done)
  const progress: Progress = {
    bytesSent: (count) => {
      done.bytes += count
    },
    fileDone: () => {
      done.files++
    }
  }
  return progress
})

const moving = (bar: Bar, total: Amount, done: Amount) =>
  Effect.gen(function* () {
    const redraw = Effect.sync(() => bar.update(done, total))
    yield* Effect.addFinalizer(() => redraw)
    yield* Effect.forkScoped(Effect.repeat(redraw, Schedule.spaced("100 millis")))
  })

const lines = (total: Amount, done: Amount) =>
  Effect.suspend(() =>
    Console.error(
      `${formatCount(done.files)} of ${formatCount(total.files)} files, ` +
        `${formatBytes(done.bytes)} of ${formatBytes(total.bytes)}`
    )
  ).pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.forkScoped, Effect.asVoid)
