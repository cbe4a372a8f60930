import { assert, describe, it } from "@effect/vitest"
import type { Session } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import { noise } from "../support/bytes.js"
import {
  assertAtRest,
  digest,
  echo,
  exchange,
  makePair,
  passTimeUntil,
  scenario,
  settle,
  yields
} from "../support/session/sessions.js"

type Operation = "exchange" | "open" | "write" | "read" | "accept" | "ping" | "finish" | "reset" | "serve"

const operations: ReadonlyArray<Operation> = [
  "exchange",
  "open",
  "write",
  "read",
  "accept",
  "ping",
  "finish",
  "reset",
  "serve"
]

const run = (
  operation: Operation,
  session: Session.SessionService,
  bytes: Uint8Array
): Effect.Effect<unknown, unknown> => {
  switch (operation) {
    case "exchange":
      return session.withStream((stream) =>
        Effect.map(exchange(stream, bytes), (answer) => assert.strictEqual(digest(answer), digest(bytes)))
      )
    case "open":
      return session.withStream(() => Effect.never)
    case "write":
      return session.withStream((stream) =>
        Effect.all([MuxStream.write(stream, bytes), MuxStream.write(stream, bytes)], { concurrency: 2 })
      )
    case "read":
      return session.withStream((stream) => Effect.zipRight(MuxStream.write(stream, bytes), MuxStream.readAll(stream)))
    case "accept":
      return Effect.scoped(Effect.flatMap(session.accept, echo))
    case "ping":
      return session.ping
    case "finish":
      return session.withStream((stream) =>
        Effect.all([MuxStream.write(stream, bytes), MuxStream.finish(stream)], { concurrency: 2 })
      )
    case "reset":
      return session.withStream((stream) =>
        Effect.zipRight(MuxStream.write(stream, bytes), MuxStream.reset(stream, 99))
      )
    case "serve":
      return session.serve(echo, { concurrency: 1 })
  }
}

const step = fc.record({
  operation: fc.constantFrom(...operations),
  side: fc.constantFrom("client" as const, "server" as const),
  size: fc.constantFrom(0, 1, 5000, 70_000),
  patience: fc.nat(60),
  pause: fc.nat(10)
})

describe("an interruption", () => {
  it.effect.prop(
    "of any operation at any step leaves no resources behind, and the sessions work as before",
    [fc.array(step, { minLength: 1, maxLength: 12 }), fc.constantFrom(undefined, { min: 1, max: 9000 })],
    ([steps, chunking]) =>
      Effect.gen(function* () {
        const pair = yield* makePair({
          link: { bufferSize: 20_000, ...(chunking === undefined ? {} : { chunking }) },
          both: { heartbeat: false, window: 16_384, maxSendBuffer: 32_768, maxOutboundStreams: 3, acceptBacklog: 64 }
        })
        const serving = yield* Effect.forEach([pair.client, pair.server], (session) => Effect.fork(session.serve(echo)))
        yield* Effect.forEach(
          steps,
          ({ operation, patience, pause, side, size }) =>
            Effect.gen(function* () {
              yield* yields(pause)
              const fiber = yield* Effect.fork(run(operation, pair[side], noise(size, size)))
              yield* yields(patience)
              const exit = yield* Fiber.interrupt(fiber)
              if (Exit.isFailure(exit) && Cause.isDie(exit.cause)) yield* Effect.failCause(exit.cause)
            }),
          { concurrency: 4 }
        )
        yield* settle
        // every place is free, every window whole, and no stream is in another's way
        for (const session of [pair.client, pair.server]) {
          const sent = noise(20_000, 77)
          const answers = yield* Effect.fork(
            Effect.all(
              Array.from({ length: 6 }, () => session.withStream((stream) => exchange(stream, sent))),
              { concurrency: "unbounded" }
            )
          )
          for (const answer of yield* passTimeUntil(answers)) assert.strictEqual(digest(answer), digest(sent))
        }
        const drains = yield* Effect.fork(Effect.all([pair.client.drain(), pair.server.drain()], { concurrency: 2 }))
        yield* passTimeUntil(drains)
        yield* Effect.forEach(serving, passTimeUntil)
        yield* assertAtRest(pair.client)
        yield* assertAtRest(pair.server)
      }).pipe(scenario),
    { timeout: 60_000, fastCheck: { numRuns: 30 } }
  )
})
