/** Opens and closes streams for a long time, and checks that nothing of them is left: `npm run soak -- --help`. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { makeFibers } from "../../src/testing/internal/fibers.js"
import { censusOf, growth } from "./classes.js"
import { measureIdle } from "./idle.js"
import { makePlant } from "./pair.js"
import { plot } from "./plot.js"
import { asJson, inWords, progressLine } from "./report.js"
import type { Snapshot } from "./soak.js"
import { soak } from "./soak.js"
import type { Kept } from "./verdict.js"
import { judge } from "./verdict.js"

// of every file in whose code an error comes up the engine would keep the source map, parsed: megabytes that no stream left
process.setSourceMapsEnabled(false)

const USAGE = `soak [--streams N] [--minutes N] [--idle N] [--out FILE.svg] [--json FILE]

Opens and closes streams between two sessions over TCP until there were N of them (a million unless given), and for so
many minutes. --out writes a plot, and what it found beside it as .md; --json writes all samples. Exits with 1 if anything
grew. Needs node --expose-gc.
`

const WRONG_USAGE = 2

const print = (text: string) => Effect.sync(() => void process.stdout.write(`${text}\n`))

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    idle: { type: "string", default: "10000" },
    json: { type: "string" },
    minutes: { type: "string", default: "0" },
    out: { type: "string" },
    streams: { type: "string", default: "1000000" }
  }
})

const [streams, minutes, idleStreams] = [values.streams, values.minutes, values.idle].map(Number)

/** What the program kept between the first snapshot and the last. */
const compare = (snapshots: ReadonlyArray<Snapshot>): Kept | undefined => {
  const [first, last] = [snapshots[0], snapshots.at(-1)]
  if (first === undefined || last === undefined || first === last) return undefined
  return { streams: last.streams - first.streams, growth: growth(censusOf(first.file), censusOf(last.file)) }
}

const main = Effect.gen(function* () {
  if (values.help) {
    yield* print(USAGE.trimEnd())
    return 0
  }
  if (global.gc === undefined || !((streams ?? NaN) > 0 && (minutes ?? NaN) >= 0 && (idleStreams ?? NaN) >= 0)) {
    process.stderr.write(USAGE)
    return WRONG_USAGE
  }
  const fibers = makeFibers()
  const plan = {
    streams: streams ?? 0,
    seconds: 60 * (minutes ?? 0),
    batch: 5000,
    concurrency: 64,
    batchesPerConnection: 5,
    snapshots: yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "muxado-soak-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    )
  }
  const progress = yield* Effect.flatMap(makePlant(), (plant) =>
    soak(plant, plan, fibers, (sample) => {
      process.stdout.write(`${progressLine(sample)}\n`)
    })
  ).pipe(Effect.scoped, fibers.watch)
  if (values.json !== undefined) writeFileSync(values.json, asJson(progress))
  // collecting a large heap takes longer than quick heartbeats allow
  const idle = yield* Effect.scoped(
    Effect.flatMap(makePlant({ interval: "10 seconds", tolerance: "15 seconds" }), (plant) =>
      measureIdle(plant, idleStreams ?? 0)
    )
  )
  if (values.json !== undefined) writeFileSync(values.json, asJson(progress, idle))
  const samples = progress.samples.all()
  const kept = compare(progress.snapshots)
  const verdict = judge(samples, idle, kept)
  const words = inWords(progress, idle, verdict, kept)
  yield* print(words)
  const { out } = values
  if (out !== undefined) {
    writeFileSync(out, plot(samples, verdict, `${progress.streams.toLocaleString("en")} streams`))
    writeFileSync(`${out.replace(/\.svg$/, "")}.md`, words)
  }
  return verdict.faults.length === 0 ? 0 : 1
}).pipe(
  Effect.scoped,
  Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)))
)

Effect.runFork(main).addObserver((exit) => {
  if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  process.exitCode = Exit.isSuccess(exit) ? exit.value : 1
})
