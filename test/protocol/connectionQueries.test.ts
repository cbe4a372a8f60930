/** What a connection says of itself without a change. */
import { assert, describe, it } from "@effect/vitest"
import { encodeUint32 } from "../../src/protocol/wire/heartbeat.js"
import { data, goAway } from "../../src/protocol/wire/frame.js"
import { Scripted } from "../support/protocol/scripted.js"
import { bytesOf } from "../support/protocol/text.js"

describe("a connection knows", () => {
  it("the number of open streams of both sides, without heartbeats", () => {
    const server = new Scripted("server", { typed: true })
    const { connection } = server
    assert.strictEqual(connection.openStreams, 0)
    for (const id of [3, 5, 7]) server.receive(data(id, encodeUint32(1), { syn: true }))
    const ours = server.open(1)
    connection.ping(1, 0)
    assert.strictEqual(connection.openStreams, 4)
    connection.reset(server.stream(5), 6)
    connection.reset(ours, 6)
    assert.strictEqual(connection.openStreams, 2)
  })

  it("when the last byte arrived", () => {
    const client = new Scripted("client")
    client.now = 700
    assert.strictEqual(client.connection.lastHeard, 0)
    client.hex("00")
    assert.strictEqual(client.connection.lastHeard, 700)
  })

  it("the bytes that were accepted and not sent", () => {
    const client = new Scripted("client")
    client.write(client.open(), 5000)
    assert.strictEqual(client.connection.queuedBytes, 5000)
    client.sent()
    assert.strictEqual(client.connection.queuedBytes, 0)
  })

  it("which heartbeats wait for their answer", () => {
    const client = new Scripted("client", { typed: true })
    client.connection.ping(7, 0)
    client.sent()
    assert.deepStrictEqual([client.connection.awaitsPong(7), client.connection.awaitsPong(8)], [true, false])
    client.receive(data(3, encodeUint32(7)))
    assert.isFalse(client.connection.awaitsPong(7))
  })

  it("why the peer leaves", () => {
    const client = new Scripted("client")
    assert.isUndefined(client.connection.remoteEnd)
    client.receive(goAway(0, 2, bytesOf("restart")))
    const expected = { _tag: "GoneAway", lastStreamId: 0, code: 2, debug: bytesOf("restart") } as const
    assert.deepStrictEqual(client.connection.remoteEnd, expected)
    assert.isUndefined(client.connection.end)
  })
})
