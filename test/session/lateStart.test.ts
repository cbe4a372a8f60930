/** What arrives before the program asks for it is still there when it does. */
import { assert, describe, it } from "@effect/vitest"
import { MuxStream, Session } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { call, echoWhole, quick, sessionTest } from "../support/session/sessionTest.js"
import { decoded } from "../support/session/sessions.js"
import { dial, listening } from "../support/session/tcp.js"

describe("a call that starts late", () => {
  sessionTest("serves the streams that came before serve", ({ client, server }) =>
    Effect.gen(function* () {
      const calls = yield* Effect.fork(Effect.forEach([1, 2, 3, 4], () => call(client), { concurrency: 4 }))
      yield* Effect.sleep(1000)
      yield* Effect.forkScoped(server.serve(echoWhole))
      assert.deepStrictEqual(yield* Fiber.join(calls), ["hello", "hello", "hello", "hello"])
    })
  )

  sessionTest("accepts what lives behind a stream that came and was reset", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.exit(
        client.withStream((stream) =>
          Effect.zipRight(MuxStream.write(stream, "gone"), Effect.zipRight(Effect.sleep(5), Effect.fail("x")))
        )
      )
      const calling = yield* Effect.fork(call(client))
      yield* Effect.sleep(100)
      yield* Effect.forkScoped(server.serve((stream) => Effect.ignore(echoWhole(stream))))
      assert.strictEqual(yield* Fiber.join(calling), "hello")
    })
  )

  sessionTest("reads what had arrived before the peer finished and its session ended", ({ client, server }) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(server.serve((stream) => MuxStream.write(stream, "kept")))
      const stream = yield* client.open()
      yield* MuxStream.write(stream, "go")
      yield* Effect.sleep(1000)
      yield* server.close
      assert.strictEqual(decoded(yield* MuxStream.readAll(stream)), "kept")
    })
  )

  sessionTest("gives the reason of the end from closed and draining", ({ client, link }) =>
    Effect.gen(function* () {
      yield* link.cut
      yield* Effect.sleep(1000)
      assert.strictEqual((yield* client.closed)._tag, "TransportFailed")
      assert.strictEqual((yield* client.draining)._tag, "TransportFailed")
    })
  )

  it.scopedLive("serves a client that called before run", () =>
    Effect.gen(function* () {
      const server = yield* NodeSessionServer.makeTcp({ host: "127.0.0.1", port: 0 }, quick)
      const port = server.address._tag === "TcpAddress" ? server.address.port : 0
      const calling = yield* Effect.fork(Effect.flatMap(dial(port), (client) => call(client)))
      yield* Effect.sleep(50)
      yield* Effect.forkScoped(server.run((session) => session.serve(echoWhole)))
      assert.strictEqual(yield* Fiber.join(calling), "hello")
    })
  )

  it.scopedLive("reads what came long before the session started", () =>
    Effect.gen(function* () {
      const port = yield* listening((session) =>
        session.withStream((stream) => MuxStream.write(stream, new Uint8Array(200_000)))
      )
      const transport = yield* NodeTransport.makeTcp({ host: "127.0.0.1", port })
      yield* Effect.sleep(50)
      const client = yield* Session.fromTransport(transport, { ...quick, role: "client" })
      const stream = yield* client.accept
      assert.strictEqual((yield* MuxStream.readAll(stream)).length, 200_000)
    })
  )
})
