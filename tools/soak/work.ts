/** The work of streams: the first byte of a stream says what the side that accepts it does with it. */
import type { MuxadoError, Session } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { echo } from "../../test/support/echo.js"

const Kind = { Echo: 0, Reset: 1, Wait: 2, HalfClose: 3, Source: 4 } as const

const LARGEST = 256 * 1024
const CODE = 77

/** Every payload is a part of this one: what is measured is the session, not its users. */
const CONTENT = Uint8Array.from({ length: LARGEST }, (_, i) => (i * 31) % 251)

const message = (kind: number, length: number): Uint8Array => {
  const bytes = CONTENT.slice(0, Math.max(1, length))
  bytes[0] = kind
  return bytes
}

// --- the side that accepts

export const handle = (stream: MuxStream.MuxStream): Effect.Effect<void, MuxadoError.StreamError> =>
  Effect.flatMap(MuxStream.read(stream), (first) => {
    if (first._tag === "None") return Effect.void
    switch (first.value[0]) {
      case Kind.Reset:
        return MuxStream.reset(stream, CODE)
      case Kind.Wait:
        return Effect.zipRight(MuxStream.write(stream, Uint8Array.of(Kind.Wait)), Effect.never)
      case Kind.HalfClose:
        return Effect.zipRight(MuxStream.finish(stream), Effect.asVoid(MuxStream.readAll(stream)))
      case Kind.Source:
        return Effect.forever(MuxStream.write(stream, CONTENT.subarray(0, 16 * 1024)))
      default:
        return Effect.zipRight(MuxStream.write(stream, first.value), echo(stream))
    }
  })

// --- the side that opens

type Use = (stream: MuxStream.MuxStream) => Effect.Effect<unknown, MuxadoError.StreamError>

/** Bytes there and back, whole. */
const exchange =
  (length: number): Use =>
  (stream) =>
    Effect.all(
      [
        Effect.zipRight(MuxStream.write(stream, message(Kind.Echo, length)), MuxStream.finish(stream)),
        readBack(stream)
      ],
      { concurrency: length > 16 * 1024 ? 2 : 1 }
    ).pipe(
      Effect.flatMap(([, received]) =>
        received === Math.max(1, length) ? Effect.void : Effect.dieMessage(`${received} bytes of ${length} came back`)
      )
    )

const readBack = (stream: MuxStream.MuxStream): Effect.Effect<number, MuxadoError.StreamError> => {
  let received = 0
  const loop: Effect.Effect<number, MuxadoError.StreamError> = Effect.flatMap(MuxStream.read(stream), (chunk) => {
    if (chunk._tag === "None") return Effect.succeed(received)
    received += chunk.value.length
    return loop
  })
  return loop
}

/** What the peer says of a stream that it resets is what was asked for. */
const expectReset = (effect: Effect.Effect<unknown, MuxadoError.StreamError>) =>
  Effect.catchTag(Effect.asVoid(effect), "StreamReset", (error) =>
    error.code === CODE ? Effect.void : Effect.fail(error)
  )

const isReset: Use = (stream) =>
  expectReset(Effect.zipRight(MuxStream.write(stream, message(Kind.Reset, 100)), MuxStream.read(stream)))

const resets: Use = (stream) =>
  Effect.zipRight(MuxStream.write(stream, message(Kind.Echo, 1000)), MuxStream.reset(stream, CODE))

/** Its own fiber is interrupted while it waits, and so is the handler over there. */
const isInterrupted: Use = (stream) =>
  Effect.zipRight(
    MuxStream.write(stream, message(Kind.Wait, 10)),
    Effect.zipRight(MuxStream.read(stream), Effect.interrupt)
  )

const halfCloses: Use = (stream) =>
  Effect.gen(function* () {
    yield* MuxStream.write(stream, message(Kind.HalfClose, 10))
    yield* MuxStream.readAll(stream)
    yield* MuxStream.write(stream, message(0, 3000))
  })

/** It reads a little of what has no end, and leaves. */
const leaves: Use = (stream) =>
  Effect.zipRight(MuxStream.write(stream, message(Kind.Source, 10)), MuxStream.read(stream))

const opensOnly: Use = () => Effect.void

/** By how many of a hundred streams do what. */
const SHARES: ReadonlyArray<readonly [number, Use]> = [
  [50, exchange(20)],
  [20, exchange(1500)],
  [6, exchange(12_000)],
  [1, exchange(LARGEST)],
  [6, resets],
  [5, isReset],
  [5, isInterrupted],
  [3, halfCloses],
  [1, leaves],
  [3, opensOnly]
]

const uses: ReadonlyArray<Use> = SHARES.flatMap(([share, use]) => Array.from({ length: share }, () => use))

/** One stream, from its beginning to its end; `index` says of which kind. */
export const useStream = (
  session: Session.SessionService,
  index: number
): Effect.Effect<void, MuxadoError.OpenError | MuxadoError.StreamError> => {
  const use = uses[(index * 37) % uses.length] ?? opensOnly
  const stream = session.withStream((stream) => Effect.asVoid(use(stream)))
  return use === isInterrupted
    ? Effect.flatMap(Effect.fork(stream), (fiber) =>
        Effect.flatMap(fiber.await, (exit) =>
          Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) ? exit : Effect.void
        )
      )
    : stream
}
