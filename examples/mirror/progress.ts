/** How far the mirror is, on stderr: a bar on a terminal, a line now and then elsewhere. */
import { SingleBar } from "cli-progress"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { formatBytes, formatCount } from "./format.js"

export interface Progress {
  readonly bytesSent: (count: number) => void
  readonly fileDone: () => void
}

/** Shows the progress towards `total` while the scope is open. */
export const make = Effect.fn("Progress.make")(function* (total: { readonly files: number; readonly bytes: number }) {
  const done = { files: 0, bytes: 0 }
  const show = process.stderr.isTTY ? bar : lines
  yield* show(total, done)
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

interface Amount {
  readonly files: number
  readonly bytes: number
}

type Show = (total: Amount, done: Amount) => Effect.Effect<void, never, Scope.Scope>

const bar: Show = (total, done) =>
  Effect.gen(function* () {
    const payload = () => ({
      files: `${formatCount(done.files)}/${formatCount(total.files)} files`,
      bytes: `${formatBytes(done.bytes)} of ${formatBytes(total.bytes)}`
    })
    // an empty file moves the bar as well
    const value = () => done.files + done.bytes
    const drawn = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const drawn = new SingleBar({
          format: "{bar} {percentage}% | {files} | {bytes} | {duration_formatted}",
          barCompleteChar: "█",
          barIncompleteChar: "░",
          barsize: 30,
          hideCursor: true,
          stream: process.stderr
        })
        drawn.start(Math.max(1, total.files + total.bytes), value(), payload())
        return drawn
      }),
      (drawn) =>
        Effect.sync(() => {
          drawn.update(value(), payload())
          drawn.stop()
        })
    )
    const redraw = Effect.sync(() => drawn.update(value(), payload()))
    yield* Effect.forkScoped(Effect.repeat(redraw, Schedule.spaced("100 millis")))
  })

const lines: Show = (total, done) =>
  Effect.suspend(() =>
    Console.error(
      `${formatCount(done.files)} of ${formatCount(total.files)} files, ` +
        `${formatBytes(done.bytes)} of ${formatBytes(total.bytes)}`
    )
  ).pipe(Effect.delay("1 second"), Effect.forever, Effect.forkScoped, Effect.asVoid)
