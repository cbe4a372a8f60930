/** Wrong arguments of the transports and servers of Node. */
import { NodeSocket } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { MuxadoError, Transport } from "effect-muxado"
import { NodeSessionServer, NodeTransport } from "effect-muxado/node"
import * as Effect from "effect/Effect"
import { ending } from "../support/session/sessionTest.js"
import { wrong } from "../support/wrong.js"

const nameOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value)

it.effect("a port that is a symbol fails with TransportFailed", () =>
  Effect.gen(function* () {
    const end = yield* ending(Effect.scoped(NodeTransport.makeTcp(wrong({ port: Symbol("s") }))))
    assert.match(end, /^fails TransportFailed: /)
  })
)

it.effect("fromDuplex and fromSocket of another value say what they take", () =>
  Effect.gen(function* () {
    assert.match(yield* ending(Effect.scoped(NodeTransport.fromDuplex(wrong(undefined)))), /Duplex/)
    assert.match(yield* ending(Effect.scoped(Transport.fromSocket(wrong(undefined)))), /Socket/)
  })
)

describe("wrong arguments of the transports and servers of Node", () => {
  for (const value of [undefined, null, -1, 1.5, "x", {}, 70_000]) {
    it.scoped(`port ${nameOf(value)} is refused before anything is opened`, () =>
      Effect.gen(function* () {
        const client = yield* Effect.flip(NodeTransport.makeTcp(wrong({ port: value })))
        assert.match(client.message, /port must be an integer from 1 to 65535, not /)
        assert.strictEqual(MuxadoError.retry(client), "NewSession")
        const server = yield* Effect.flip(NodeSessionServer.makeTcp(wrong({ port: value })))
        assert.strictEqual(server._tag, "InvalidOptions")
      })
    )
  }

  it.scoped("an invalid host is refused", () =>
    Effect.gen(function* () {
      for (const host of [3, null, "", {}]) {
        const client = yield* Effect.flip(NodeTransport.makeTcp(wrong({ port: 1, host })))
        assert.match(client.message, /host must be a non-empty string, not /)
        const server = yield* Effect.flip(NodeSessionServer.makeTcp(wrong({ port: 0, host })))
        assert.match(server.message, /host must be a non-empty string, not /)
      }
    })
  )

  it.scoped("an invalid path is refused", () =>
    Effect.gen(function* () {
      for (const path of [3, undefined, "", "a\0b"]) {
        assert.match((yield* Effect.flip(NodeTransport.makeUnix(wrong({ path })))).message, /path /)
        assert.match((yield* Effect.flip(NodeSessionServer.makeUnix(wrong({ path })))).message, /path /)
      }
    })
  )

  it.scoped("options of a server are checked before it listens", () =>
    Effect.gen(function* () {
      for (const options of [null, 3, { maxConnections: 0 }, { nope: 1 }]) {
        const error = yield* Effect.flip(NodeSessionServer.makeTcp({ port: 0, host: "127.0.0.1" }, wrong(options)))
        assert.strictEqual(error._tag, "InvalidOptions")
      }
    })
  )

  it.scoped("an invalid URL fails with Open, and the message contains it", () =>
    Effect.gen(function* () {
      for (const url of [3, "", "nonsense"]) {
        const error = yield* Effect.flip(Transport.makeWebSocket(wrong(url)))
        assert.strictEqual(error.reason, "Open")
        assert.include(error.message, String(url))
      }
    }).pipe(Effect.provide(NodeSocket.layerWebSocketConstructor))
  )
})
