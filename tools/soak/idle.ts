/** The memory of an open stream that does nothing, and the check that it is freed. */
import { MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import type { Plant } from "./pair.js"
import { collectGarbage, settled } from "./sample.js"

export interface Idle {
  readonly streams: number
  /** Bytes of the heap before, while all are open, and when all are over. */
  readonly before: number
  readonly open: number
  readonly after: number
}

/** At first the engine compiles, and its tables grow: the last round is measured. */
const ROUNDS = 3

export const measureIdle = (plant: Plant, streams: number): Effect.Effect<Idle, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const pair = yield* plant.connect
      const heap = Effect.map(collectGarbage, () => process.memoryUsage().heapUsed)
      let idle: Idle = { streams, before: 0, open: 0, after: 0 }
      for (let round = 0; round < ROUNDS; round++) {
        const before = yield* heap
        const open = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* Effect.forEach(Array.from({ length: streams }), () => openIdle(pair.client), { concurrency: 64 })
            return yield* heap
          })
        )
        yield* settled(pair)
        idle = { streams, before, open, after: yield* heap }
      }
      return idle
    })
  )

/** Open at both ends: a byte has come back. The handler over there waits for more. */
const openIdle = (session: Parameters<typeof settled>[0]["client"]) =>
  Effect.gen(function* () {
    const stream = yield* session.open()
    yield* MuxStream.write(stream, Uint8Array.of(0))
    yield* MuxStream.read(stream)
  })
