import { assert, describe, it } from "@effect/vitest"
import type { StreamCore } from "../../src/protocol/streams/streamCore.js"
import { data, rst } from "../../src/protocol/wire/frame.js"
import { detach } from "../support/bytes.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"

const write = (peer: Scripted, stream: StreamCore, bytes: Uint8Array): void => {
  assert.strictEqual(peer.connection.write(stream, bytes), bytes.length)
}

const LOST = "Reset 2 by Local, processed maybe"

describe("bytes whose memory is detached before they are sent", () => {
  it("reset their stream with InternalError, after the bytes that were already sent", () => {
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

  it("send nothing if the SYN was not sent, and the id is used again", () => {
    const client = new Scripted("client")
    const stream = client.open()
    const bytes = new Uint8Array(3000)
    write(client, stream, bytes)
    detach(bytes)
    assert.deepStrictEqual(client.sent(), [])
    assert.deepStrictEqual(client.events(), ["BytesLost 3", "Failed 3: Reset 2 by Local, processed no"])
    assert.strictEqual(client.open().id, 3)
  })

  it("do not change the turns of other streams", () => {
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

  it("reset their stream while the session closes, instead of ending it early, and the GOAWAY follows", () => {
    const client = new Scripted("client")
    const stream = client.open()
    client.sent()
    const bytes = new Uint8Array(3000)
    write(client, stream, bytes)
    client.connection.finish(stream)
    client.connection.close()
    client.events()
    detach(bytes)
    const sent = [...client.sent(), ...client.sent()]
    assert.deepStrictEqual(client.events(), ["BytesLost 3", "Ended: Closed"])
    assert.include(sent, "RST 3 code 2")
    assert.isTrue(sent.some((line) => line.startsWith("GOAWAY")))
    assert.isFalse(sent.some((line) => line.includes("FIN")))
    assert.strictEqual(client.connection.end?._tag, "Closed")
    assertAtRest(client.connection)
  })
})

it("bytes that are lost while the session closes send no RST if the SYN was not sent", () => {
  const client = new Scripted("client")
  const bytes = new Uint8Array(3000)
  write(client, client.open(), bytes)
  client.connection.close()
  detach(bytes)
  const sent = [...client.sent(), ...client.sent()]
  assert.isFalse(sent.some((line) => line.startsWith("RST")))
  assert.isTrue(sent.some((line) => line.startsWith("GOAWAY")))
})

it("received bytes whose memory is detached before they are read reset their stream, instead of ending it", () => {
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

describe("received bytes whose memory is detached before they are read, on an ended stream", () => {
  /** A stream of the peer that has arrived whole, with its FIN, and was not read. */
  const arrived = () => {
    const server = new Scripted("server").receive(data(3, new Uint8Array(0), { syn: true }))
    const stream = server.stream(3)
    server.connection.accept(stream)
    const payload = new Uint8Array(20_000)
    server.connection.receive(data(3, payload, { fin: true }))
    server.events()
    return { server, stream, payload }
  }

  const ends: ReadonlyArray<readonly [string, (server: Scripted, stream: StreamCore) => unknown, string]> = [
    ["its session was aborted", ({ connection }) => connection.abort(), "SessionEnded (Closed), processed maybe"],
    ["its session was closed", ({ connection }) => connection.close(), "SessionEnded (Closed), processed maybe"],
    ["the peer has reset it", (server) => server.receive(rst(3, 1)), "Reset 1 by Remote, processed maybe"],
    ["both sides had finished it", ({ connection }, stream) => connection.finish(stream), LOST]
  ]
  for (const [name, end, failure] of ends) {
    it(`do not look like its end: ${name}`, () => {
      const { payload, server, stream } = arrived()
      end(server, stream)
      server.sent()
      server.events()
      detach(payload)
      assert.strictEqual(server.read(stream), failure)
      assert.strictEqual(server.read(stream), failure)
      assert.deepStrictEqual(server.events(), [], "its end was told before")
      assert.deepStrictEqual(server.sent(), [], "nothing is sent on an id that is over, nor after the GOAWAY")
      assert.strictEqual(server.connection.stats().heldBytes, 0)
      assertAtRest(server.connection)
    })
  }
})

it("bytes of a write that are lost after the end of their stream cause no RST on its id", () => {
  const server = new Scripted("server").receive(data(3, new Uint8Array(0), { syn: true }))
  const stream = server.stream(3)
  server.connection.receive(data(3, new Uint8Array(0), { fin: true }))
  server.connection.finish(stream)
  assert.deepStrictEqual(server.sent(), ["FIN 3 (0)"])
  server.events()
  server.connection.bytesLost(stream)
  assert.deepStrictEqual([...server.events(), ...server.sent()], [])
})
