import { assert, it } from "@effect/vitest"
import { MuxStream, SessionServer } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as S from "effect-muxado"
import { SimulatedTransport } from "effect-muxado/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Layer from "effect/Layer"

const sessionOver = (role: "client" | "server", t: S.Transport.TransportService) =>
  S.Session.make(role).pipe(
    Effect.provideService(S.Transport.Transport, t),
    Effect.provideService(S.FrameReader.FrameReader, S.FrameReader.make(t)),
    Effect.provideService(S.FrameWriter.FrameWriter, S.FrameWriter.make(t))
  )

it.scoped("echo over simulated", () =>
  Effect.gen(function* () {
    const pair = yield* SimulatedTransport.makePair()
    const client = yield* sessionOver("client", pair.client)
    const server = yield* sessionOver("server", pair.server)
    yield* Effect.fork(server.serve((stream) => Stream.run(MuxStream.readable(stream), MuxStream.writable(stream))))
    const bytes = new TextEncoder().encode("hello")
    const out = yield* client.withStream((stream) =>
      Effect.gen(function* () {
        yield* MuxStream.write(stream, bytes)
        yield* MuxStream.finish(stream)
        return yield* MuxStream.readAll(stream)
      })
    )
    assert.deepStrictEqual(new Uint8Array(out), bytes)
    const big = new Uint8Array(3_000_000).fill(7)
    const out2 = yield* client.withStream((stream) =>
      Effect.gen(function* () {
        const f = yield* Effect.fork(Effect.zipRight(MuxStream.write(stream, big), MuxStream.finish(stream)))
        const r = yield* MuxStream.readAll(stream)
        yield* Fiber.join(f)
        return r
      })
    )
    assert.strictEqual(out2.length, big.length)
    yield* client.ping
    console.log(yield* client.stats, yield* server.stats)
  })
)

it.live("echo over tcp", () =>
  Effect.gen(function* () {
    const server = yield* SessionServer.SessionServer
    yield* Effect.fork(server.run((session) => session.serve((stream) => Stream.run(MuxStream.readable(stream), MuxStream.writable(stream)))))
    assert(server.address._tag === "TcpAddress")
    yield* Effect.gen(function* () {
      const client = yield* S.Session.Session
      yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, i) => i),
        (i) =>
          client.withStream((stream) =>
            Effect.gen(function* () {
              const bytes = new Uint8Array(i * 10).fill(i)
              yield* MuxStream.write(stream, bytes)
              yield* MuxStream.finish(stream)
              const r = yield* MuxStream.readAll(stream)
              assert.strictEqual(r.length, bytes.length)
            })
          ),
        { concurrency: 64, discard: true }
      )
      console.log(yield* client.stats, yield* client.ping)
    }).pipe(Effect.provide(S.Session.layerClient().pipe(Layer.provide(NodeTransport.layerTcp({ port: server.address.port })))))
  }).pipe(Effect.provide(NodeSessionServer.layerTcp({ port: 0, host: "127.0.0.1" })))
)
