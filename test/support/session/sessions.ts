/** Pairs of sessions, and what the tests of sessions do with them. */
import { assert } from "@effect/vitest"
import type { SessionOptions, Transport } from "effect-muxado"
import { FrameReader, FrameWriter, MuxStream, Session } from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { createHash } from "node:crypto"
import { leavesNothing } from "../census.js"

/** A session over a transport that exists already. */
export const sessionOver = (
  role: "client" | "server",
  transport: Transport.TransportService,
  options?: SessionOptions
) => Session.fromTransport(transport, { ...options, role })

/** Options for both sides; those of one side win. */
export interface PairOptions {
  readonly link?: SimulatedTransport.Options
  readonly both?: SessionOptions
  readonly client?: SessionOptions
  readonly server?: SessionOptions
}

/** Two sessions with a simulated link between them. */
export const makePair = (options: PairOptions = {}) =>
  Effect.gen(function* () {
    const link = yield* SimulatedTransport.makePair(options.link)
    const client = yield* sessionOver("client", link.client, { ...options.both, ...options.client })
    const server = yield* sessionOver("server", link.server, { ...options.both, ...options.server })
    return { client, server, link }
  })

/** A session, and a peer that is driven frame by frame. */
export const makeRawPair = (options?: SessionOptions, link?: SimulatedTransport.Options) =>
  Effect.gen(function* () {
    const pair = yield* SimulatedTransport.makePair(link)
    const client = yield* sessionOver("client", pair.client, options)
    const reader = FrameReader.make(pair.server)
    const writer = FrameWriter.make(pair.server)
    return { client, link: pair, transport: pair.server, send: writer.write, receive: reader.take }
  })

export const echo = (stream: MuxStream.MuxStream) => Stream.run(MuxStream.toStream(stream), MuxStream.toSink(stream))

/** Sends the bytes and a FIN, while reading everything that comes back. */
export const exchange = (stream: MuxStream.MuxStream, bytes: Uint8Array) =>
  Effect.map(
    Effect.all([MuxStream.readAll(stream), Effect.zipRight(MuxStream.write(stream, bytes), MuxStream.finish(stream))], {
      concurrency: "unbounded"
    }),
    ([answer]) => answer
  )

export const encoded = (value: string): Uint8Array => new TextEncoder().encode(value)

export const decoded = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

export const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Lets fibers run that need nothing but to be run. */
export const yields = (count: number): Effect.Effect<void> =>
  Effect.repeatN(Effect.yieldNow(), count).pipe(Effect.asVoid)

/** Lets all that needs no time happen. */
export const settle: Effect.Effect<void> = TestClock.adjust(0)

export const isDone = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<boolean> =>
  Effect.map(Fiber.poll(fiber), Option.isSome)

/** Waits with real turns of the event loop, a bounded number of them, until the condition holds. */
export const eventually = (what: string, condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let patience = 1000; patience > 0; patience--) {
      if (yield* condition) return
      yield* Effect.async<void>((resume) => {
        setTimeout(() => resume(Effect.void), 2)
      })
    }
    assert.fail(`never happened: ${what}`)
  })

/** Nothing is left in a session: no stream, no byte, no wait. */
export const assertAtRest = (session: Session.SessionService): Effect.Effect<void> =>
  Effect.map(session.stats, (stats) => {
    const { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes, tableSize } = stats
    assert.deepStrictEqual(
      { backlog, bufferedBytes, inboundStreams, outboundStreams, queuedBytes, tableSize },
      { backlog: 0, bufferedBytes: 0, inboundStreams: 0, outboundStreams: 0, queuedBytes: 0, tableSize: 0 }
    )
  })

/** Lets time pass, a second at a time, until the fiber is done. */
export const passTimeUntil = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    for (let seconds = 0; seconds < 1000; seconds++) {
      if (yield* isDone(fiber)) return yield* Fiber.join(fiber)
      yield* TestClock.adjust("1 second")
    }
    return yield* Effect.dieMessage("not done after 1000 seconds")
  })

/** A test in virtual time: what its scope holds is ended while time passes, and nothing may be left of it. */
export const scenario = <A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const exit = yield* Effect.exit(Scope.extend(body, scope))
    yield* Effect.flatMap(Effect.fork(Scope.close(scope, exit)), passTimeUntil)
    return yield* exit
  }).pipe(leavesNothing)
