/** Opens and closes streams over one connection after the other, and takes a sample whenever no stream is open. */
import type { MuxadoError } from "effect-muxado"
import { join } from "node:path"
import { writeHeapSnapshot } from "node:v8"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Fibers } from "../../src/testing/internal/fibers.js"
import type { Pair, Plant } from "./pair.js"
import type { Sample } from "./sample.js"
import { collectGarbage, settled, take } from "./sample.js"
import { SampleLog } from "./sampleLog.js"
import { useStream } from "./work.js"

export interface Plan {
  /** It ends when so many streams were opened and closed, and so much time has passed. */
  readonly streams: number
  readonly seconds: number
  /** Streams between two samples, and at the same time. */
  readonly batch: number
  readonly concurrency: number
  readonly batchesPerConnection: number
  /** The directory for what the heap holds when half is done, and in the end; none is taken without. */
  readonly snapshots: string | undefined
}

/** How a connection ends; all but the first two while streams are open. */
const ENDINGS = ["drain", "close", "cut", "server closes", "stop"] as const

/** Streams that are opened before a connection is lost. */
const BEFORE_FAULT = 300

/** Taken when a connection is new, both times. */
export interface Snapshot {
  readonly file: string
  readonly streams: number
}

export interface Progress {
  streams: number
  connections: number
  readonly began: number
  readonly samples: SampleLog
  readonly snapshots: Array<Snapshot>
  readonly endings: Map<string, number>
}

export const soak = (
  plant: Plant,
  plan: Plan,
  fibers: Fibers,
  tell: (sample: Sample) => void
): Effect.Effect<Progress, unknown> =>
  Effect.gen(function* () {
    const progress: Progress = {
      streams: 0,
      connections: 0,
      began: performance.now(),
      samples: new SampleLog(),
      snapshots: [],
      endings: new Map(ENDINGS.map((ending) => [ending, 0]))
    }
    const isDone = (part: number) =>
      progress.streams >= part * plan.streams && performance.now() - progress.began >= 1000 * part * plan.seconds
    const isOver = () => isDone(1)
    const snapshot = (pair: Pair) => takeSnapshot(pair, plan, progress)
    while (!isOver()) {
      const ending = ENDINGS[progress.connections++ % ENDINGS.length] ?? "drain"
      progress.endings.set(ending, (progress.endings.get(ending) ?? 0) + 1)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const pair = yield* plant.connect
          if (isDone(1 / 2) && progress.snapshots.length === 0) yield* snapshot(pair)
          for (let i = 0; i < plan.batchesPerConnection && !isOver(); i++) {
            yield* batch(pair, plan.batch, plan.concurrency, progress)
            const sample = yield* take(pair, progress, fibers)
            progress.samples.push(sample)
            tell(sample)
          }
          yield* end(plant, pair, ending, plan, progress)
        })
      )
    }
    yield* Effect.scoped(Effect.flatMap(plant.connect, snapshot))
    return progress
  })

const takeSnapshot = (pair: Pair, { snapshots }: Plan, progress: Progress): Effect.Effect<void> =>
  snapshots === undefined
    ? Effect.void
    : settled(pair).pipe(
        Effect.zipRight(collectGarbage),
        Effect.map(() => {
          const file = join(snapshots, `after-${progress.streams}.heapsnapshot`)
          writeHeapSnapshot(file)
          progress.snapshots.push({ file, streams: progress.streams })
        })
      )

/** So many streams, half of them opened by each side. */
const batch = (pair: Pair, count: number, concurrency: number, progress: Progress) => {
  let next = 0
  const worker = (session: Pair["client"]): Effect.Effect<void, MuxadoError.OpenError | MuxadoError.StreamError> =>
    Effect.suspend(() => {
      if (next >= count) return Effect.void
      const index = progress.streams + next++
      const pinged =
        index % 500 === 0 ? Effect.zipRight(session.ping, useStream(session, index)) : useStream(session, index)
      return Effect.zipRight(pinged, worker(session))
    })
  const workers = Array.from({ length: concurrency }, (_, i) => worker(i % 2 === 0 ? pair.client : pair.server))
  return Effect.all(workers, { concurrency: "unbounded", discard: true }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        progress.streams += next
      })
    )
  )
}

const end = (
  plant: Plant,
  pair: Pair,
  ending: (typeof ENDINGS)[number],
  plan: Plan,
  progress: Progress
): Effect.Effect<void, unknown> => {
  if (ending === "drain") return pair.client.drain("5 seconds")
  if (ending === "close") return pair.client.close
  const fault = { cut: plant.proxy.cut, stop: plant.proxy.stop, "server closes": pair.server.close }[ending]
  const began = progress.streams
  const lost = Effect.gen(function* () {
    while (progress.streams - began < BEFORE_FAULT) yield* batch(pair, 100, plan.concurrency, progress)
    yield* Effect.zipRight(fault, batch(pair, 1_000_000, plan.concurrency, progress))
  })
  // streams that were open when it came fail, and both sides notice that the other is gone
  return Effect.flatMap(Effect.exit(lost), (exit) =>
    Exit.isFailure(exit) && Cause.isDie(exit.cause)
      ? exit
      : Effect.zipRight(
          Effect.all([pair.client.closed, pair.server.closed], { discard: true }),
          // a proxy that has stopped does not see that both have gone
          plant.proxy.cut
        )
  )
}
