import { assert, describe, it } from "@effect/vitest"
import type { SessionOptions } from "effect-muxado"
import { MuxStream } from "effect-muxado"
import { NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Bytes from "../../tools/attacks/bytes.js"
import { Peer } from "../../tools/attacks/peer.js"
import { connectTcp, mediumOf, overTcp } from "../../tools/attacks/socketPeer.js"
import { noise } from "../support/bytes.js"
import { certificates } from "../support/certificates.js"
import type { Server } from "../support/faults/processes.js"
import { startServer } from "../support/faults/processes.js"
import { exchange, sessionOver } from "../support/session/sessions.js"

const LONG = 60_000

/** A heartbeat that soon finds out. */
const quick = { heartbeat: { interval: 300, tolerance: 700 } } as const
/** One that is in no hurry. */
const patient = { heartbeat: { interval: 300, tolerance: 60_000 } } as const

const dial = ({ port }: Server, options: SessionOptions = {}) =>
  Effect.flatMap(NodeTransport.makeTcp({ host: "127.0.0.1", port }), (transport) =>
    sessionOver("client", transport, options)
  )

/** An honest client is served. */
const serves = (server: Server) =>
  Effect.gen(function* () {
    const client = yield* dial(server)
    assert.deepStrictEqual(yield* client.withStream((stream) => exchange(stream, noise(1000, 1))), noise(1000, 1))
    yield* client.close
    yield* server.isWell
  }).pipe(Effect.scoped)

const fault = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) => it.scopedLive(name, () => test, LONG)

describe("a server's process", { concurrent: true }, () => {
  fault(
    "that is killed fails every operation that its clients wait for",
    Effect.gen(function* () {
      const server = yield* startServer({})
      const client = yield* dial(server)
      const stream = yield* client.open()
      const reading = yield* Effect.fork(Effect.flip(MuxStream.read(yield* client.open())))
      const writing = yield* Effect.fork(Effect.flip(Effect.forever(MuxStream.write(stream, noise(65_536, 1)))))
      yield* client.ping
      yield* server.signal("SIGKILL")
      for (const fiber of [reading, writing]) {
        assert.include(["TransportFailed", "RemoteGoneAway"], (yield* Fiber.join(fiber))._tag)
      }
      assert.containSubset(yield* client.closed, { _tag: "TransportFailed", initiator: "Remote" })
      assert.strictEqual((yield* Effect.flip(Effect.scoped(client.open())))._tag, "TransportFailed")
    })
  )

  fault(
    "that is stopped and continues keeps the sessions of patient clients; the others end without harm to it",
    Effect.gen(function* () {
      const server = yield* startServer({ session: quick })
      const waits = yield* dial(server, patient)
      const leaves = yield* dial(server, quick)
      yield* waits.ping
      yield* leaves.ping
      yield* server.signal("SIGSTOP")
      const exchanging = yield* Effect.fork(waits.withStream((stream) => exchange(stream, noise(300_000, 1))))
      assert.containSubset(yield* leaves.closed, { _tag: "SessionDead", reason: "Heartbeat" })
      yield* Effect.sleep("2 seconds")
      yield* server.signal("SIGCONT")
      assert.deepStrictEqual(yield* Fiber.join(exchanging), noise(300_000, 1))
      yield* serves(server)
    })
  )

  fault(
    "whose event loop is blocked for 5 seconds loses no session, even with heartbeats each second",
    Effect.gen(function* () {
      const server = yield* startServer({ session: quick })
      const client = yield* dial(server, patient)
      yield* client.ping
      const stream = yield* client.open()
      yield* MuxStream.write(stream, noise(1, 1))
      yield* server.hang(5000)
      assert.deepStrictEqual(yield* server.event(1), { hung: 5000 })
      assert.deepStrictEqual(
        yield* client.withStream((stream) => exchange(stream, noise(300_000, 1))),
        noise(300_000, 1)
      )
      yield* MuxStream.finish(stream)
      assert.strictEqual((yield* MuxStream.readAll(stream)).length, 1)
      yield* server.isWell
    })
  )

  fault(
    "that has no file descriptor left closes further connections, and accepts again when it has some",
    Effect.gen(function* () {
      const server = yield* startServer({ session: { heartbeat: false } }, 256)
      const crowd = yield* Effect.forEach(Array.from({ length: 400 }), () => connectTcp(server.port))
      yield* Effect.raceAll(crowd.map((socket) => new Peer(mediumOf(socket), 1).ended))
      for (const socket of crowd) socket.destroy()
      yield* Effect.sleep("300 millis")
      yield* serves(server)
    })
  )

  fault(
    "serves other clients while TLS handshakes never end",
    Effect.gen(function* () {
      const { server: pair, ca } = yield* Effect.promise(certificates)
      const server = yield* startServer({ tls: { key: pair.key, cert: pair.cert, handshakeTimeout: 500 } })
      const slow = yield* Effect.forEach(Array.from({ length: 50 }), () => overTcp(server.port))
      yield* Effect.forEach(slow, ({ write }) => write(Bytes.hex("16030102")))
      const transport = yield* NodeTransport.makeTls({ host: "127.0.0.1", port: server.port, ca })
      const client = yield* sessionOver("client", transport)
      assert.deepStrictEqual(yield* client.withStream((stream) => exchange(stream, noise(9, 1))), noise(9, 1))
      yield* Effect.forEach(slow, (medium) => new Peer(medium, 1).ended)
      yield* server.isWell
    })
  )
})

describe("a client's socket", { concurrent: true }, () => {
  fault(
    "that is reset in the middle of a write, or after its end, ends only its own session",
    Effect.gen(function* () {
      const server = yield* startServer({})
      for (const ending of ["reset", "end, then reset"]) {
        const socket = yield* connectTcp(server.port)
        const peer = new Peer(mediumOf(socket), 1)
        yield* peer.fence
        yield* peer.stopReading
        // the echo waits for room
        yield* peer.flood(16, (n) => [Bytes.syn(Bytes.odd(n)), Bytes.data(Bytes.odd(n), Bytes.zeros(200_000))])
        yield* Effect.sleep("100 millis")
        if (ending !== "reset") yield* peer.end
        socket.resetAndDestroy()
      }
      const ends = [yield* server.event(1), yield* server.event(2)]
      for (const end of ends) assert.containSubset(end, { ended: "TransportFailed" })
      yield* serves(server)
    })
  )

  fault(
    "that never reads ends its session at the writeTimeout",
    Effect.gen(function* () {
      const server = yield* startServer({ session: { writeTimeout: 500, heartbeat: false } })
      const peer = new Peer(yield* overTcp(server.port), 1)
      yield* peer.fence
      yield* peer.stopReading
      yield* Effect.fork(
        peer.flood(64, (n) => [Bytes.syn(Bytes.odd(n)), Bytes.data(Bytes.odd(n), Bytes.zeros(200_000))])
      )
      assert.deepStrictEqual(yield* server.event(1), { ended: "SessionDead", reason: "WriteStalled" })
      yield* serves(server)
    })
  )

  fault(
    "that sends nothing ends its session by the heartbeat; one that stops within a frame, at the partialFrameTimeout",
    Effect.gen(function* () {
      const server = yield* startServer({ session: quick })
      yield* overTcp(server.port)
      assert.deepStrictEqual(yield* server.event(1), { ended: "SessionDead", reason: "Heartbeat" })
      const other = yield* startServer({ session: { heartbeat: false, partialFrameTimeout: 500 } })
      const peer = new Peer(yield* overTcp(other.port), 1)
      yield* peer.send(Bytes.hex("000005120000"))
      assert.deepStrictEqual(yield* other.event(1), { ended: "SessionDead", reason: "PartialFrame" })
      yield* serves(server)
      yield* serves(other)
    })
  )
})
