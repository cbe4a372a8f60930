import { assert, describe, it } from "@effect/vitest"
import type { Frame } from "../../src/protocol/wire/frame.js"
import { data, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf } from "../support/protocol/text.js"

const fin = (id: number, payload = ""): Frame => data(id, bytesOf(payload), { fin: true })

/** A client with one stream, 3, whose SYN is out. */
const opened = () => {
  const client = new Scripted("client")
  const stream = client.open()
  assert.deepStrictEqual(client.sent(), ["SYN 3 (0)"])
  return { client, stream }
}

describe("a stream that is closed in one direction", () => {
  it("our FIN first: reading continues until the peer's FIN", () => {
    const { client, stream } = opened()
    client.write(stream, "ask")
    client.connection.finish(stream)
    assert.deepStrictEqual(client.sent(), ["FIN 3 (3)"])
    assert.strictEqual(client.read(stream), "Blocked")
    client.receive(data(3, bytesOf("answer")))
    assert.deepStrictEqual(client.events(), ["Readable 3"])
    assert.strictEqual(client.read(stream), '"answer"')
    assert.strictEqual(client.read(stream), "Blocked")
    client.receive(fin(3))
    assert.deepStrictEqual(client.events(), ["Finished 3", "Readable 3"])
    assert.strictEqual(client.read(stream), "End")
    assert.strictEqual(client.read(stream), "End")
    assertAtRest(client.connection)
  })

  it("the peer's FIN first: writing continues until our FIN", () => {
    const { client, stream } = opened()
    client.receive(fin(3, "all"))
    assert.deepStrictEqual([client.read(stream), client.read(stream)], ['"all"', "End"])
    assert.strictEqual(client.write(stream, "more"), "took 4")
    assert.deepStrictEqual(client.sent(), ["DATA 3 (4)"])
    assert.deepStrictEqual(client.events(), [])
    client.connection.finish(stream)
    assert.deepStrictEqual(client.sent(), ["FIN 3 (0)"])
    assert.deepStrictEqual(client.events(), ["Finished 3"])
    assertAtRest(client.connection)
  })

  it("both FINs at once cross, and the stream ends in order", () => {
    const { client, stream } = opened()
    client.connection.finish(stream)
    client.receive(fin(3))
    assert.deepStrictEqual(client.events(), [])
    assert.deepStrictEqual(client.sent(), ["FIN 3 (0)"])
    assert.deepStrictEqual(client.events(), ["Finished 3"])
  })

  it("write after finish fails, finish after finish does nothing", () => {
    const { client, stream } = opened()
    client.connection.finish(stream)
    assert.strictEqual(client.write(stream, "x"), "Finished")
    assert.strictEqual(client.write(stream, ""), "Finished")
    assert.strictEqual(client.connection.writable(stream), 0)
    client.connection.finish(stream)
    assert.deepStrictEqual(client.sent(), ["FIN 3 (0)"])
    client.connection.finish(stream)
    assert.deepStrictEqual(client.sent(), [])
  })

  it("the FIN is sent after the accepted bytes", () => {
    const { client, stream } = opened()
    client.write(stream, 150_000)
    client.connection.finish(stream)
    const sent = client.sent()
    assert.match(sent[sent.length - 1] ?? "", /^FIN 3 /)
    assert.strictEqual(sent.filter((line) => line.startsWith("FIN")).length, 1)
    assert.strictEqual(client.connection.stats().queuedBytes, 0)
  })

  it("bytes that arrived before both FINs stay readable after the stream has left the table", () => {
    const { client, stream } = opened()
    client.connection.finish(stream)
    client.sent()
    client.receive(fin(3, "late"))
    assert.strictEqual(client.connection.stats().tableSize, 0)
    assert.deepStrictEqual([client.read(stream), client.read(stream)], ['"late"', "End"])
    assert.deepStrictEqual(client.sent(), [])
  })

  it("an increment that is queued when the stream ends is not sent", () => {
    const client = new Scripted("client", { window: 8 })
    const stream = client.open()
    client.connection.finish(stream)
    client.sent()
    client.receive(data(3, bytesOf("12345678")))
    client.readAll(stream)
    client.receive(fin(3))
    assert.deepStrictEqual(client.sent(), [])
  })

  it("a second and a third FIN are ignored: Go sends two", () => {
    const { client, stream } = opened()
    client.receive(fin(3), fin(3), fin(3))
    assert.strictEqual(client.read(stream), "End")
    assert.strictEqual(client.write(stream, "still"), "took 5")
    client.connection.finish(stream)
    assert.deepStrictEqual(client.sent(), ["FIN 3 (5)"])
    assert.deepStrictEqual(client.events(), ["Finished 3"])
    client.receive(fin(3), fin(3))
    assert.deepStrictEqual(client.sent(), [])
    assert.deepStrictEqual(client.events(), [])
  })

  it("a FIN wakes a blocked reader, and an empty DATA does not", () => {
    const { client, stream } = opened()
    assert.strictEqual(client.read(stream), "Blocked")
    client.receive(data(3))
    assert.deepStrictEqual(client.events(), [])
    client.receive(fin(3))
    assert.deepStrictEqual(client.events(), ["Readable 3"])
  })

  it("a FIN wakes no reader that does not wait", () => {
    const { client } = opened()
    client.receive(data(3, bytesOf("a")), data(3, bytesOf("b")), fin(3))
    assert.deepStrictEqual(client.events(), [])
  })

  it("DATA after the FIN is answered with one RST StreamClosed; the received bytes still end in order", () => {
    const { client, stream } = opened()
    client.receive(fin(3, "all"), data(3, bytesOf("more")), data(3, bytesOf("and more")))
    assert.deepStrictEqual(client.events(), ["Failed 3: Reset 4 by Local, processed maybe"])
    assert.deepStrictEqual(client.sent(), ["RST 3 code 4"])
    assert.deepStrictEqual([client.read(stream), client.read(stream)], ['"all"', "End"])
    assert.strictEqual(client.write(stream, "x"), "Reset 4 by Local, processed maybe")
    client.receive(data(3, bytesOf("again")))
    assert.deepStrictEqual(client.sent(), [])
    assertAtRest(client.connection)
  })

  it("DATA on a stream that has ended in both directions is answered with one RST StreamClosed", () => {
    const { client, stream } = opened()
    client.connection.finish(stream)
    client.sent()
    client.receive(fin(3), data(3, bytesOf("x")), data(3, bytesOf("y")))
    assert.deepStrictEqual(client.sent(), ["RST 3 code 4"])
    assert.deepStrictEqual(client.events(), ["Finished 3"])
    client.receive(data(3, bytesOf("z")))
    assert.deepStrictEqual(client.sent(), [])
  })

  it("DATA on an id that was never opened is answered with one RST StreamClosed, empty DATA with nothing", () => {
    const server = new Scripted("server")
    server.receive(fin(3), data(5), rst(7, 6), windowIncrement(9, 100), windowIncrement(9, 0), rst(7, 0))
    assert.deepStrictEqual(server.sent(), [])
    server.receive(data(11, bytesOf("a")), data(11, bytesOf("a")), fin(11, "a"))
    assert.deepStrictEqual(server.sent(), ["RST 11 code 4"])
    server.receive(data(11, bytesOf("a")))
    assert.deepStrictEqual(server.sent(), [])
    assert.deepStrictEqual(server.events(), [])
  })

  it("a WNDINC or an RST after the end is ignored", () => {
    const { client, stream } = opened()
    client.connection.finish(stream)
    client.sent()
    client.receive(fin(3), windowIncrement(3, 10), windowIncrement(3, 0), windowIncrement(3, 0x7fffffff), rst(3, 6))
    assert.deepStrictEqual(client.events(), ["Finished 3"])
    assert.deepStrictEqual(client.sent(), [])
    assert.strictEqual(client.read(stream), "End")
  })
})

describe("a stream whose reading has stopped", () => {
  it("drops unread and arriving bytes, and grants their credit again", () => {
    const client = new Scripted("client", { window: 100 })
    const stream = client.open()
    client.sent()
    client.receive(data(3, bytesOf("x".repeat(60))))
    client.connection.stopReading(stream)
    assert.strictEqual(client.connection.stats().bufferedBytes, 0)
    assert.deepStrictEqual(client.sent(), ["WNDINC 3 +60"])
    assert.strictEqual(client.read(stream), "Stopped")
    client.receive(data(3, bytesOf("y".repeat(100))))
    assert.strictEqual(client.connection.stats().bufferedBytes, 0)
    assert.deepStrictEqual(client.sent(), ["WNDINC 3 +100"])
    client.connection.stopReading(stream)
    assert.strictEqual(client.read(stream), "Stopped")
    assert.strictEqual(client.write(stream, "we still write"), "took 14")
  })

  it("ends with our FIN, and later DATA is answered with an RST, so that the peer does not wait", () => {
    const { client, stream } = opened()
    client.receive(data(3, bytesOf("unread")))
    client.connection.stopReading(stream)
    client.connection.finish(stream)
    assert.deepStrictEqual(client.sent(), ["FIN 3 (0)"])
    assert.deepStrictEqual(client.events(), ["Finished 3"])
    assertAtRest(client.connection)
    client.receive(data(3, bytesOf("more")))
    assert.deepStrictEqual(client.sent().slice(-1), ["RST 3 code 4"])
    client.receive(data(3, bytesOf("more")), fin(3), rst(3, 4))
    assert.deepStrictEqual(client.sent(), [])
  })

  it("ends at once after our FIN, and a peer without credit gets credit, so that its next DATA is answered with an RST", () => {
    const client = new Scripted("client", { window: 100 })
    const stream = client.open()
    client.connection.finish(stream)
    client.sent()
    client.receive(data(3, bytesOf("x".repeat(100))))
    client.connection.stopReading(stream)
    assert.deepStrictEqual(client.events(), ["Finished 3"])
    assert.deepStrictEqual(client.sent(), ["WNDINC 3 +100"])
    client.receive(data(3, bytesOf("y")))
    assert.deepStrictEqual(client.sent(), ["RST 3 code 4"])
  })

  it("ends once if the FIN comes", () => {
    const { client, stream } = opened()
    client.connection.stopReading(stream)
    client.receive(fin(3, "x"))
    client.connection.finish(stream)
    client.sent()
    assert.deepStrictEqual(client.events(), ["Finished 3"])
    client.receive(fin(3))
    assert.deepStrictEqual(client.events(), [])
    assertAtRest(client.connection)
  })

  it("ends once if it ends between two pieces of one frame", () => {
    const { client, stream } = opened()
    client.connection.finish(stream)
    client.sent()
    client.hex("000004 11 00000003 6162")
    client.connection.stopReading(stream)
    assert.deepStrictEqual(client.events(), ["Finished 3"])
    client.hex("6364")
    assert.deepStrictEqual(client.events(), [])
    assert.strictEqual(client.read(stream), "Stopped")
    assert.strictEqual(client.connection.nextDeadline(), Infinity)
    client.tick(100)
    assert.deepStrictEqual(client.sent(), ["WNDINC 3 +4"])
    assertAtRest(client.connection)
  })

  it("grants the credit of a frame that is still arriving, because the peer's writer would hang without it", () => {
    const client = new Scripted("client", { window: 16 })
    const stream = client.open()
    client.sent()
    client.hex("000010 10 00000003")
    client.connection.stopReading(stream)
    client.connection.finish(stream)
    assert.deepStrictEqual(client.sent(), ["FIN 3 (0)"])
    client.push(new Uint8Array(16))
    assert.deepStrictEqual(client.sent(), ["WNDINC 3 +16"])
    client.receive(data(3, bytesOf("x")))
    assert.deepStrictEqual(client.sent(), ["RST 3 code 4"])
  })

  it("grants no credit after its end", () => {
    const { client, stream } = opened()
    client.receive(fin(3, "x"))
    client.connection.finish(stream)
    client.sent()
    client.connection.stopReading(stream)
    assert.strictEqual(client.read(stream), "Stopped")
    assert.deepStrictEqual(client.sent(), [])
    assert.deepStrictEqual(client.events(), ["Finished 3"])
  })
})
