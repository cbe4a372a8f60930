import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { SocketServer } from "@effect/platform/SocketServer"
import { assert, describe, it } from "@effect/vitest"
import type { Session } from "effect-muxado"
import { MuxStream, SessionServer } from "effect-muxado"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import { leavesNothing } from "../support/census.js"
import { apply } from "../../tools/attacks/application.js"
import type { Attack } from "../../tools/attacks/attack.js"
import { carryOut, judge } from "../../tools/attacks/attack.js"
import * as Bytes from "../../tools/attacks/bytes.js"
import { corpus } from "../../tools/attacks/corpus/index.js"
import { Peer } from "../../tools/attacks/peer.js"
import { sumOf } from "../../tools/attacks/seen.js"
import { overWebSocket } from "../../tools/attacks/webSocketPeer.js"

const LONG = 60_000
const KIB = 1024
const MIB = 1024 * KIB

const isFor = ({ role, virtual }: Attack): boolean => role === undefined && virtual === undefined

/** A server of WebSockets that meets one attack, and a way to connect to it. */
const serverFor = ({ app, options = {} }: Attack) =>
  Effect.gen(function* () {
    const sockets = yield* NodeSocketServer.makeWebSocket({ host: "127.0.0.1", port: 0, maxPayload: MIB })
    const server = yield* SessionServer.make(options).pipe(Effect.provideService(SocketServer, sockets))
    yield* Effect.forkScoped(server.run((session) => Effect.zipRight(apply(app ?? "echo", session), session.closed)))
    assert(server.address._tag === "TcpAddress")
    const { port } = server.address
    return { connect: Effect.map(overWebSocket(port), (medium) => new Peer(medium, 1)) }
  })

/** An honest peer is served, whatever went before. */
const stillEchoes = (connect: Effect.Effect<Peer, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const peer = yield* connect
    const bytes = Bytes.hex("68656c6c6f")
    yield* peer.send(Bytes.syn(3, bytes), Bytes.fin(3))
    yield* peer.until((seen) => seen.answer(3).finished)
    assert.strictEqual(peer.seen.answer(3).sum, sumOf(bytes))
  }).pipe(Effect.scoped)

describe("an attack over WebSockets", () => {
  for (const attack of corpus.filter(isFor)) {
    it.live(
      `${attack.id}: ${attack.what}`,
      () =>
        Effect.gen(function* () {
          const { connect } = yield* serverFor(attack)
          yield* Effect.gen(function* () {
            const peer = yield* connect
            yield* carryOut(attack, peer)
            judge(attack, peer)
          }).pipe(Effect.scoped)
          if (attack.app === undefined) yield* stillEchoes(connect)
        }).pipe(Effect.scoped, leavesNothing, Logger.withMinimumLogLevel(LogLevel.None)),
      LONG
    )
  }

  it.live(
    "A42: peers that grant a stream 2 GiB and read nothing take a bounded amount of memory each, and others are served",
    () =>
      Effect.gen(function* () {
        const sockets = yield* NodeSocketServer.makeWebSocket({ host: "127.0.0.1", port: 0 })
        const server = yield* SessionServer.make({ writeTimeout: "1 second" }).pipe(
          Effect.provideService(SocketServer, sockets)
        )
        const ends: Array<Effect.Effect.Success<Session.SessionService["closed"]>> = []
        const threeEnded = yield* Deferred.make<void>()
        let taken = 0
        const chunk = new Uint8Array(64 * KIB)
        const handler = (session: Session.SessionService) =>
          Effect.gen(function* () {
            yield* session.serve((stream) =>
              stream.id === 5
                ? MuxStream.write(stream, Bytes.hex("aa"))
                : Effect.forever(Effect.map(MuxStream.write(stream, chunk), () => (taken += chunk.length)))
            )
            const end = yield* session.closed
            if (end._tag === "SessionDead") ends.push(end)
            if (ends.length === 3) yield* Deferred.succeed(threeEnded, undefined)
          })
        yield* Effect.forkScoped(server.run(handler))
        assert(server.address._tag === "TcpAddress")
        const { port } = server.address
        for (let n = 0; n < 3; n++) {
          const peer = new Peer(yield* overWebSocket(port), 1)
          yield* peer.stopReading
          yield* peer.send(Bytes.syn(3), Bytes.grant(3, 0x7ffb_0000))
        }
        const honest = new Peer(yield* overWebSocket(port), 1)
        yield* honest.send(Bytes.syn(5))
        yield* honest.until((seen) => seen.answer(5).finished)
        assert.strictEqual(honest.seen.answer(5).bytes, 1)
        yield* Deferred.await(threeEnded)
        assert.deepStrictEqual(
          ends.map((end) => end._tag === "SessionDead" && end.reason),
          ["WriteStalled", "WriteStalled", "WriteStalled"]
        )
        // each: maxSendBuffer, a batch, what is unsent in the WebSocket, and what the kernel holds
        assert.isAtMost(taken, 3 * 16 * MIB)
      }).pipe(Effect.scoped, leavesNothing, Logger.withMinimumLogLevel(LogLevel.None)),
    LONG
  )
})
