/** The ways around the fibers keep every promise of `read` and `write`. */
import { assert, describe, it } from "@effect/vitest"
import { Frame, MuxStream, Session, type Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import type { DirectTransport } from "../../src/internal/transport/fastPath.js"
import { directTransport } from "../../src/internal/transport/fastPath.js"
import { encode } from "../../src/protocol/wire/encoder.js"
import { data } from "../../src/protocol/wire/frame.js"
import { noise } from "../support/bytes.js"
import { echo, encoded, exchange, passTimeUntil, scenario, sessionOver, settle } from "../support/session/sessions.js"

const offer = (transport: Transport.TransportService, parts: Partial<DirectTransport>): Transport.TransportService => {
  const each: DirectTransport["each"] = (take) => Effect.forever(Effect.map(transport.read, (chunk) => take(chunk)))
  const offered = { ...transport }
  directTransport.set(offered, { each, tryWrite: () => false, ...parts })
  return offered
}

describe("chunks that come by callback on the fast path", () => {
  const frames = [
    data(3, Uint8Array.of(0, 0, 0, 0), { syn: true }),
    data(3, noise(60_000, 1)),
    data(3, noise(60_000, 2)),
    data(3, noise(80_000, 3)),
    data(3, new Uint8Array(0), { fin: true })
  ]
  const wire = Buffer.concat(encode(frames))
  const payload = Buffer.concat(frames.slice(1).map((frame) => frame.payload))

  for (const first of [0, 1, 7, 10_000, 65_536, 65_537, 81_919, wire.length]) {
    for (const path of ["read", "callbacks"] as const) {
      it.effect(`${first} bytes, then all the rest at once, by ${path}: every byte is read, once and in order`, () =>
        Effect.gen(function* () {
          const chunks = [wire.subarray(0, first), wire.subarray(first)].filter((chunk) => chunk.length > 0)
          const link = yield* SimulatedTransport.makePair()
          const read = Effect.suspend(() => {
            const chunk = chunks.shift()
            return chunk === undefined ? Effect.never : Effect.succeed(chunk)
          })
          const full = { ...link.server, read }
          const transport = path === "read" ? full : offer(full, {})
          const server = yield* sessionOver("server", transport, { heartbeat: false })
          const stream = yield* server.accept
          assert.isTrue(Buffer.from(yield* MuxStream.readAll(stream)).equals(payload))
          yield* Effect.fork(server.close)
          yield* link.cut
        }).pipe(scenario)
      )
    }
  }
})

describe("a write at once on the fast path", () => {
  for (const [how, tryWrite] of [
    [
      "throws",
      () => {
        throw new Error("the port is closed")
      }
    ],
    ["gives no answer", () => undefined as unknown as boolean]
  ] as const) {
    it.effect(`that ${how} ends the session or goes by the writer, with no unhandled rejection`, () =>
      Effect.gen(function* () {
        const link = yield* SimulatedTransport.makePair()
        const transport = offer(link.client, { tryWrite })
        const client = yield* Session.fromTransport(transport, { role: "client", heartbeat: false })
        const server = yield* sessionOver("server", link.server, { heartbeat: false })
        yield* Effect.fork(server.serve(echo))
        const calling = yield* Effect.fork(
          Effect.forEach([1, 2, 3], () =>
            Effect.exit(client.withStream((stream) => exchange(stream, encoded("a call"))))
          )
        )
        const exits = yield* passTimeUntil(calling)
        if (how === "throws") {
          const closed = yield* client.closed
          assert(closed._tag === "TransportFailed")
          assert.include(closed.message, "the port is closed")
          assert.isTrue(exits.some((exit) => exit._tag === "Failure"))
        } else {
          assert.isTrue(exits.every((exit) => exit._tag === "Success"))
        }
      }).pipe(scenario)
    )
  }
})

it.effect("a chunk that comes before the frames of the last one were received does not take their place", () =>
  Effect.gen(function* () {
    const { client: transport } = yield* SimulatedTransport.makePair()
    let take: (chunk: Uint8Array) => void = () => assert.fail("nobody listens")
    directTransport.set(transport, {
      each: (onChunk) => {
        take = onChunk
        return Effect.never
      },
      tryWrite: () => false
    })
    const session = yield* sessionOver("client", transport, { typed: false, heartbeat: false, acceptBacklog: 1000 })
    yield* settle
    const chunk = (first: number) => {
      const ids = Array.from({ length: 50 }, (_, index) => first + 2 * index)
      return Buffer.concat(encode(ids.map((id) => Frame.data(id, Uint8Array.of(1), { syn: true }))))
    }
    take(chunk(2))
    take(chunk(102))
    yield* settle
    assert.strictEqual((yield* session.stats).accepted, 100)
  }).pipe(scenario)
)

it.scopedLive("a copy of a transport with another write is written to", () =>
  Effect.gen(function* () {
    const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 })
    yield* Effect.forkScoped(server.run((session) => session.serve(echo)))
    const port = server.address._tag === "TcpAddress" ? server.address.port : 0
    const transport = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
    let writes = 0
    let reads = 0
    const session = yield* sessionOver("client", {
      ...transport,
      read: Effect.tap(transport.read, () => Effect.sync(() => reads++)),
      write: (chunks) => {
        writes++
        return transport.write(chunks)
      }
    })
    const bytes = noise(1000, 1)
    assert.deepStrictEqual(yield* session.withStream((stream) => exchange(stream, bytes)), bytes)
    assert.isAbove(writes, 0)
    assert.isAbove(reads, 0)
  })
)
