import { assert, describe, it } from "@effect/vitest"
import type { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { data } from "../../src/protocol/wire/frame.js"
import { detach } from "../support/bytes.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"

const write = (peer: Scripted, stream: StreamCore, bytes: Uint8Array): void => {
  assert.strictEqual(peer.connection.write(stream, bytes), bytes.length)
}

const LOST = "Reset 2 by Local, processed maybe"

describe("bytes whose memory is gone before they are sent", () => {
  it("reset their stream with InternalError, behind what was sent of it", () => {
    const client = new Scripted("client")
    const stream = client.open()
    write(client, stream, new Uint8Array(5))
    client.sent()
    const bytes = new Uint8Array(5000)
    write(client, stream, new Uint8Array(3000))
    write(client, stream, bytes)
    client.connection.finish(stream)
    detach(bytes)
    assert.deepStrictEqual(client.sent(), ["DATA 3 (3000)"])
    assert.deepStrictEqual(client.events(), ["BytesLost 3", `Failed 3: ${LOST}`])
    assert.deepStrictEqual(client.sent(), ["RST 3 code 2"])
    assertAtRest(client.connection)
  })

  it("leave no trace of a stream that the peer has not heard of: its id is used again", () => {
    const client = new Scripted("client")
    const stream = client.open()
    const bytes = new Uint8Array(3000)
    write(client, stream, bytes)
    detach(bytes)
    assert.deepStrictEqual(client.sent(), [])
    assert.deepStrictEqual(client.events(), ["BytesLost 3", "Failed 3: Reset 2 by Local, processed no"])
    assert.strictEqual(client.open().id, 3)
  })

  it("leave the other streams their turns", () => {
    const client = new Scripted("client")
    const [broken, whole] = [client.open(), client.open()]
    client.sent()
    const bytes = new Uint8Array(3000)
    write(client, broken, bytes)
    write(client, whole, new Uint8Array(4000))
    detach(bytes)
    assert.deepStrictEqual(client.sent(), ["DATA 5 (4000)"])
    assert.deepStrictEqual(client.sent(), ["RST 3 code 2"])
    client.connection.finish(whole)
    assert.deepStrictEqual(client.sent(), ["FIN 5 (0)"])
  })

  it("are answered by an RST while the session closes, not by a shorter stream, and the GOAWAY follows", () => {
    const client = new Scripted("client")
    const stream = client.open()
    client.sent()
    const bytes = new Uint8Array(3000)
    write(client, stream, bytes)
    client.connection.finish(stream)
    client.connection.close()
    detach(bytes)
    const sent = [...client.sent(), ...client.sent()]
    assert.include(sent, "RST 3 code 2")
    assert.isTrue(sent.some((line) => line.startsWith("GOAWAY")))
    assert.isFalse(sent.some((line) => line.includes("FIN")))
    assert.strictEqual(client.connection.end?._tag, "Closed")
    assertAtRest(client.connection)
  })
})

it("received bytes whose memory is gone before they are read reset their stream, instead of ending it", () => {
  const server = new Scripted("server").receive(data(3, new Uint8Array(0), { syn: true }))
  const stream = server.stream(3)
  server.connection.accept(stream)
  server.events()
  const payload = new Uint8Array(20_000)
  server.connection.receive(data(3, payload, { fin: true }))
  detach(payload)
  server.events()
  assert.strictEqual(server.connection.read(stream)._tag, "Failed")
  assert.deepStrictEqual(server.events(), ["BytesLost 3", `Failed 3: ${LOST}`])
  assert.deepStrictEqual(server.sent(), ["RST 3 code 2"])
  assertAtRest(server.connection)
})
