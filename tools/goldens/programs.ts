/**
 * The programs that are recorded with each peer. A program uses only the session; `tell` makes the peer do its part,
 * once.
 */
import type { Session, SessionOptions } from "effect-muxado"
import { ErrorCode, MuxStream } from "effect-muxado"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { echo, readExactly } from "../../test/support/echo.js"
import { digestOf, exchangePattern, readDigest, writePattern } from "../interop/pattern.js"
import type { Peer, PeerError, Start } from "../interop/peer.js"

type Tell = (act: (peer: Peer) => Effect.Effect<void, PeerError>) => Effect.Effect<void, unknown>

export interface Program {
  readonly name: string
  readonly options: SessionOptions
  readonly peer: Omit<Start, "role">
  readonly run: (
    session: Session.SessionService,
    tell: Tell
  ) => Effect.Effect<ReadonlyArray<string>, unknown, Scope.Scope>
}

const WINDOW = 4096
const MANUAL = 3

const digestLine = (name: string, length: number, seed: number, digest: { readonly sha256: string }): string =>
  `${name}: ${digest.sha256 === digestOf(seed, length).sha256 ? "all of" : "not"} the ${length} bytes`

const failureLine = (name: string, error: object): string =>
  `${name}: ${"_tag" in error ? String(error._tag) : "?"}${"code" in error ? ` ${String(error.code)}` : ""}`

/** Untyped streams through windows of 4 KiB. */
const echoes: Program = {
  name: "echoes",
  options: { typed: false, heartbeat: false, window: WINDOW },
  peer: { typed: false, window: WINDOW },
  run: (session, tell) =>
    Effect.gen(function* () {
      const log: Array<string> = []
      for (const [seed, length] of [
        [1, 64],
        [2, 0],
        [3, 9000]
      ] as const) {
        const digest = yield* session.withStream((stream) =>
          Effect.tap(exchangePattern(stream, seed, length), () => log.push(`stream ${stream.id}`))
        )
        log.push(digestLine("echo", length, seed, digest))
      }
      const theirs = yield* Effect.fork(
        Effect.replicateEffect(
          Effect.scoped(
            Effect.flatMap(session.accept, (stream) => Effect.as(echo(stream), `echoed ${stream.id} ${stream.type}`))
          ),
          3
        )
      )
      yield* tell((peer) => Effect.asVoid(peer.run({ count: 3, concurrency: 1, size: 5000, seed: 9 })))
      log.push(...(yield* theirs))
      yield* tell((peer) => peer.closeSession)
      log.push(failureLine("end", yield* session.closed))
      return log
    })
}

/** Typed streams, heartbeats of theirs, resets both ways, their GOAWAY. */
const endings: Program = {
  name: "endings",
  options: { heartbeat: false },
  peer: { heartbeat: { intervalMs: 20, toleranceMs: 10_000 }, handlers: { [MANUAL]: "manual" } },
  run: (session, tell) =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const digest = yield* session.withStream((stream) => exchangePattern(stream, 1, 2000), { type: 0xfffffffe })
      log.push(digestLine("echo", 2000, 1, digest))

      yield* tell((peer) =>
        Effect.gen(function* () {
          const stream = yield* peer.open(0x01020304)
          yield* stream.write(5, 3000)
          yield* stream.closeWrite
        })
      )
      const theirs = yield* session.accept
      log.push(`accepted a stream of type ${theirs.type}`)
      log.push(digestLine("theirs", 3000, 5, yield* readDigest(theirs)))
      yield* Effect.zipRight(writePattern(theirs, 6, 3000), MuxStream.finish(theirs))

      const resetByThem = yield* session.open({ type: MANUAL })
      yield* MuxStream.write(resetByThem, new Uint8Array(10))
      yield* tell((peer) =>
        Effect.flatMap(peer.accepted, (stream) =>
          Effect.zipRight(Effect.zipRight(stream.read(10), stream.write(7, 100)), stream.reset(77))
        )
      )
      log.push(`before the reset: ${(yield* readExactly(resetByThem, 100)).length} bytes`)
      log.push(failureLine("reset by them", yield* Effect.flip(MuxStream.read(resetByThem))))

      const resetByUs = yield* session.open({ type: MANUAL })
      yield* MuxStream.write(resetByUs, new Uint8Array(10))
      yield* tell((peer) => Effect.flatMap(peer.accepted, (stream) => stream.write(8, 10)))
      yield* readExactly(resetByUs, 10)
      yield* MuxStream.reset(resetByUs, ErrorCode.StreamCancelled)
      // some heartbeats pass
      yield* tell(() => Effect.sleep("150 millis"))
      yield* tell((peer) => peer.goAway(ErrorCode.EnhanceYourCalm, "leaving soon"))
      yield* session.draining
      log.push(failureLine("open", yield* Effect.flip(session.open())))
      // to Rust, its own GOAWAY was the end
      yield* tell((peer) => Effect.ignore(peer.closeSession))
      log.push(failureLine("end", yield* session.closed))
      return log
    })
}

export const PROGRAMS: ReadonlyArray<Program> = [echoes, endings]
