import { assert, describe, it } from "@effect/vitest"
import { data, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf } from "../support/protocol/text.js"

const payloadOf = (script: Scripted): ReadonlyArray<ReadonlyArray<number>> =>
  script.frames().flatMap((frame) => (frame._tag === "Data" ? [[...frame.payload]] : []))

describe("opening a stream", () => {
  it("a client's first ids are 3, 5, 7; a server's are 2, 4, 6", () => {
    const client = new Scripted("client")
    const server = new Scripted("server")
    assert.deepStrictEqual([client.open().id, client.open().id, client.open().id], [3, 5, 7])
    assert.deepStrictEqual([server.open().id, server.open().id, server.open().id], [2, 4, 6])
  })

  it("the SYN is sent at once, without a write", () => {
    const client = new Scripted("client")
    assert.isFalse(client.connection.hasFrames)
    client.open()
    assert.isTrue(client.connection.hasFrames)
    assert.deepStrictEqual(client.sent(), ["SYN 3 (0)"])
    assert.isFalse(client.connection.hasFrames)
  })

  it("a first write of the same step is sent in the SYN frame, and an empty write does not suppress the SYN", () => {
    const client = new Scripted("client")
    const stream = client.open()
    assert.strictEqual(client.write(stream, ""), "took 0")
    assert.strictEqual(client.write(stream, "hello"), "took 5")
    assert.deepStrictEqual(client.sent(), ["SYN 3 (5)"])
    assert.strictEqual(client.write(stream, " world"), "took 6")
    assert.deepStrictEqual(client.sent(), ["DATA 3 (6)"])
  })

  it("a large first write follows the SYN completely and in order", () => {
    const client = new Scripted("client")
    const stream = client.open()
    assert.strictEqual(client.write(stream, 5000), "took 5000")
    const sizes = client.frames().map((frame) => (frame._tag === "Data" ? frame.payload.length : -1))
    assert.strictEqual(
      sizes.reduce((a, b) => a + b, 0),
      5000
    )
    assert.strictEqual(client.connection.stats().queuedBytes, 0)
  })

  it("a SYN frame never has FIN, because Go's acceptor could not answer", () => {
    const client = new Scripted("client")
    const stream = client.open()
    client.write(stream, "hello")
    client.connection.finish(stream)
    assert.deepStrictEqual(client.sent(), ["SYN 3 (5)", "FIN 3 (0)"])
  })

  it("on a typed session the SYN frame has all 4 bytes of the type, and then the first bytes", () => {
    const client = new Scripted("client", { typed: true })
    const stream = client.open(0xaabbccdd)
    client.write(stream, "hi")
    assert.deepStrictEqual(payloadOf(client), [[0xaa, 0xbb, 0xcc, 0xdd, 0x68, 0x69]])
    client.open(0)
    assert.deepStrictEqual(payloadOf(client), [[0, 0, 0, 0]])
    const large = client.open(0x01020304)
    client.write(large, 5000)
    assert.deepStrictEqual(payloadOf(client)[0]?.slice(0, 4), [1, 2, 3, 4])
  })

  it("the type costs 4 bytes of the window", () => {
    const client = new Scripted("client", { typed: true, window: 100 })
    const stream = client.open(7)
    assert.strictEqual(client.connection.writable(stream), 96)
    assert.strictEqual(client.write(stream, 100), "took 96")
    assert.deepStrictEqual(client.sent(), ["SYN 3 (100)"])
  })

  it("after the id 0x7FFFFFFF the ids are exhausted, and the last streams still work", () => {
    const client = new Scripted("client", { firstStreamId: 0x7ffffffb })
    assert.deepStrictEqual([client.open().id, client.open().id], [0x7ffffffb, 0x7ffffffd])
    const last = client.open()
    assert.strictEqual(last.id, 0x7fffffff)
    assert.deepStrictEqual(client.connection.open(undefined), { _tag: "Exhausted" })
    assert.deepStrictEqual(client.connection.open(undefined), { _tag: "Exhausted" })
    client.write(last, "hi")
    assert.deepStrictEqual(client.sent(), ["SYN 2147483643 (0)", "SYN 2147483645 (0)", "SYN 2147483647 (2)"])
    client.receive(data(0x7fffffff, bytesOf("ho"), { fin: true }))
    assert.deepStrictEqual([client.read(last), client.read(last)], ['"ho"', "End"])
  })

  it("the last even id is 0x7FFFFFFE", () => {
    const server = new Scripted("server", { firstStreamId: 0x7ffffffe })
    assert.strictEqual(server.open().id, 0x7ffffffe)
    assert.deepStrictEqual(server.connection.open(undefined), { _tag: "Exhausted" })
  })

  it("open returns Full at the limit, and OpenAvailable follows when a stream ends", () => {
    const client = new Scripted("client", { maxOutboundStreams: 2 })
    const first = client.open()
    client.open()
    assert.deepStrictEqual(client.connection.open(undefined), { _tag: "Full" })
    assert.deepStrictEqual(client.events(), [])
    assert.deepStrictEqual(client.sent(), ["SYN 3 (0)", "SYN 5 (0)"])
    client.connection.finish(first)
    client.sent()
    assert.deepStrictEqual(client.connection.open(undefined), { _tag: "Full" })
    client.receive(data(3, new Uint8Array(0), { fin: true }))
    assert.deepStrictEqual(client.events(), ["Finished 3", "OpenAvailable"])
    assert.strictEqual(client.open().id, 7)
    client.receive(rst(5, 6))
    assert.deepStrictEqual(client.events(), ["Failed 5: Reset 6 by Remote, processed maybe"])
  })

  it("a heartbeat stream that ends causes no OpenAvailable", () => {
    const client = new Scripted("client", { maxOutboundStreams: 1, typed: true })
    client.open(0)
    client.connection.ping(1, 0)
    client.sent()
    assert.deepStrictEqual(client.connection.open(0), { _tag: "Full" })
    client.receive(rst(5, 6))
    assert.deepStrictEqual(client.events(), ["PingLost 1 on 5: Reset 6 by Remote, processed maybe"])
  })

  it("a stream that ends while no open waits causes no OpenAvailable", () => {
    const client = new Scripted("client", { maxOutboundStreams: 1 })
    const stream = client.open()
    client.connection.reset(stream, 6)
    assert.deepStrictEqual(client.events(), ["Failed 3: Reset 6 by Local, processed no"])
    assertAtRest(client.connection)
  })

  it("streams of the peer do not count against open", () => {
    const client = new Scripted("client", { maxOutboundStreams: 1 })
    client.receive(data(2, bytesOf("a"), { syn: true }), data(4, bytesOf("b"), { syn: true }))
    assert.strictEqual(client.open().id, 3)
    assert.strictEqual(client.connection.stats().inboundStreams, 2)
    assert.strictEqual(client.connection.stats().outboundStreams, 1)
    assert.strictEqual(client.connection.stats().tableSize, 3)
  })

  it("frames for a stream whose SYN is not sent do not change it", () => {
    const server = new Scripted("server")
    const stream = server.open()
    server.receive(data(stream.id, bytesOf("OOPS")), rst(stream.id, 6), windowIncrement(stream.id, 10))
    assert.deepStrictEqual(server.read(stream), "Blocked")
    assert.deepStrictEqual(server.sent(), ["SYN 2 (0)"])
    server.receive(data(stream.id, bytesOf("now")))
    assert.deepStrictEqual(server.readAll(stream), { length: 3, then: "Blocked" })
  })
})

describe("accepting a stream", () => {
  it("a SYN opens it without an answer, and its payload can be read at once", () => {
    const server = new Scripted("server")
    server.receive(data(3, undefined, { syn: true }), data(5, bytesOf("hello"), { syn: true }))
    assert.deepStrictEqual(server.events(), ["Opened 3", "Opened 5"])
    assert.strictEqual(server.read(server.stream(3)), "Blocked")
    assert.strictEqual(server.read(server.stream(5)), '"hello"')
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.stream(5).initiator, "Remote")
    assert.strictEqual(server.stream(5).type, undefined)
  })

  it("DATA with SYN and FIN gives bytes, then the end, and an answer can still be sent", () => {
    const server = new Scripted("server").hex("000005 13 00000003 68656c6c6f")
    assert.deepStrictEqual(server.events(), ["Opened 3"])
    const stream = server.stream(3)
    assert.deepStrictEqual([server.read(stream), server.read(stream)], ['"hello"', "End"])
    assert.strictEqual(server.write(stream, "yes"), "took 3")
    server.connection.finish(stream)
    assert.deepStrictEqual(server.sent(), ["FIN 3 (3)"])
    assert.deepStrictEqual(server.events(), ["Finished 3"])
    server.connection.accept(stream)
    assertAtRest(server.connection)
  })

  it("the acceptor may write before the opener has written a byte", () => {
    const server = new Scripted("server").receive(data(3, undefined, { syn: true }))
    server.write(server.stream(3), "220 ready")
    assert.deepStrictEqual(server.sent(), ["DATA 3 (9)"])
  })

  it("a typed stream is shown when all 4 bytes of its type have arrived, in any pieces", () => {
    const server = new Scripted("server", { typed: true })
    server.receive(data(3, Uint8Array.of(0xaa), { syn: true }))
    server.receive(data(3, Uint8Array.of(0xbb, 0xcc)))
    assert.deepStrictEqual(server.events(), [])
    assert.strictEqual(server.connection.stats().inboundStreams, 1)
    server.receive(data(3, Uint8Array.of(0xdd, 0x68, 0x69)))
    assert.deepStrictEqual(server.events(), [`Opened 3 type ${0xaabbccdd}`])
    assert.strictEqual(server.read(server.stream(3)), '"hi"')
  })

  it("a type without further bytes shows an empty stream", () => {
    const server = new Scripted("server", { typed: true }).receive(data(3, new Uint8Array(4), { syn: true, fin: true }))
    assert.deepStrictEqual(server.events(), ["Opened 3 type 0"])
    assert.strictEqual(server.read(server.stream(3)), "End")
  })

  it("a stream whose type never comes does not block the next one", () => {
    const server = new Scripted("server", { typed: true })
    server.receive(data(3, undefined, { syn: true }), data(5, new Uint8Array(4), { syn: true }))
    assert.deepStrictEqual(server.events(), ["Opened 5 type 0"])
  })

  it("a typed stream that ends before its type is complete is reset, and never shown", () => {
    const server = new Scripted("server", { typed: true }).hex("000000 13 00000003")
    assert.deepStrictEqual(server.sent(), ["RST 3 code 1"])
    server.receive(data(5, Uint8Array.of(1, 2), { syn: true }), data(5, Uint8Array.of(3), { fin: true }))
    assert.deepStrictEqual(server.sent(), ["RST 5 code 1"])
    assert.deepStrictEqual(server.events(), [])
    assertAtRest(server.connection)
    server.receive(data(7, new Uint8Array(4), { syn: true }))
    assert.deepStrictEqual(server.events(), ["Opened 7 type 0"])
  })

  it("a typed stream that is reset before its type is removed without an event", () => {
    const server = new Scripted("server", { typed: true })
    server.receive(data(3, Uint8Array.of(1), { syn: true }), rst(3, 6))
    assert.deepStrictEqual(server.events(), [])
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
    assertAtRest(server.connection)
  })
})
