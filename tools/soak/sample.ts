/** What the process holds while no stream is open. */
import { getHeapCodeStatistics } from "node:v8"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Fibers } from "../../src/testing/internal/fibers.js"
import type { Pair } from "./pair.js"

export interface Sample {
  readonly seconds: number
  /** Streams opened and closed so far. */
  readonly streams: number
  readonly connections: number
  /** Bytes. */
  readonly heapUsed: number
  /** The part of `heapUsed` that is code and what the engine knows about it: it compiles anew for as long as it runs. */
  readonly code: number
  readonly rss: number
  readonly external: number
  readonly arrayBuffers: number
  /** What keeps the event loop alive: sockets, servers, timers. */
  readonly handles: number
  readonly fibers: number
  /** Live streams of both sessions, and bytes that they hold or have to send. */
  readonly streamsOpen: number
  readonly bytesHeld: number
  readonly gapsInIds: number
}

const isIdle = (pair: Pair): Effect.Effect<boolean> =>
  Effect.map(Effect.all([pair.client.stats, pair.server.stats]), (stats) =>
    stats.every(({ inboundStreams, outboundStreams }) => inboundStreams + outboundStreams === 0)
  )

/** Waits until the last streams have ended on both sides; what has not ended after this long is counted. */
export const settled = (pair: Pair): Effect.Effect<void> => {
  const attempt = (left: number): Effect.Effect<void> =>
    Effect.flatMap(isIdle(pair), (idle) =>
      idle || left === 0 ? Effect.sleep("20 millis") : Effect.zipRight(Effect.sleep("10 millis"), attempt(left - 1))
    )
  return attempt(500)
}

export const collectGarbage: Effect.Effect<void> = Effect.gen(function* () {
  // what is only let go of in the next turn of the event loop is garbage, too
  for (let i = 0; i < 3; i++) {
    yield* Effect.sync(() => global.gc?.())
    yield* Effect.sleep(Duration.millis(2))
  }
})

export const take = (
  pair: Pair,
  progress: { readonly began: number; readonly streams: number; readonly connections: number },
  fibers: Fibers
): Effect.Effect<Sample> =>
  Effect.gen(function* () {
    yield* settled(pair)
    yield* collectGarbage
    const sides = yield* Effect.all([pair.client.stats, pair.server.stats])
    const sum = (of: (side: (typeof sides)[number]) => number): number => of(sides[0]) + of(sides[1])
    const { arrayBuffers, external, heapUsed, rss } = process.memoryUsage()
    const { bytecode_and_metadata_size, code_and_metadata_size } = getHeapCodeStatistics()
    return {
      seconds: (performance.now() - progress.began) / 1000,
      streams: progress.streams,
      connections: progress.connections,
      heapUsed,
      code: bytecode_and_metadata_size + code_and_metadata_size,
      rss,
      external,
      arrayBuffers,
      handles: process.getActiveResourcesInfo().filter((kind) => kind !== "Immediate").length,
      fibers: fibers.count(),
      streamsOpen: sum((side) => side.inboundStreams + side.outboundStreams),
      bytesHeld: sum((side) => side.heldBytes + side.queuedBytes + side.backlog),
      gapsInIds: sum((side) => side.idGaps)
    }
  })
