import { assert, describe, it } from "@effect/vitest"
import { data, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf } from "../support/protocol/text.js"

const CODES = [0, 1, 6, 15, 16, 0xff, 0x7fffffff, 0x80000000, 0xffffffff]

/** A server with one stream, 3, on which "abc" has arrived. */
const serving = () => {
  const server = new Scripted("server").receive(data(3, bytesOf("abc"), { syn: true }))
  const stream = server.stream(3)
  server.connection.accept(stream)
  server.events()
  return { server, stream }
}

describe("a reset by the peer", () => {
  for (const code of CODES) {
    it(`gives reader and writer the unchanged code ${code}`, () => {
      const { server, stream } = serving()
      assert.strictEqual(server.read(stream), '"abc"')
      server.receive(rst(3, code))
      const processed = code === 5 || code === 9 ? "no" : "maybe"
      const failure = `Reset ${code} by Remote, processed ${processed}`
      assert.deepStrictEqual(server.events(), [`Failed 3: ${failure}`])
      assert.strictEqual(server.read(stream), failure)
      assert.strictEqual(server.write(stream, "x"), failure)
      assert.strictEqual(server.write(stream, ""), failure)
      assert.deepStrictEqual(server.sent(), [])
      assertAtRest(server.connection)
    })
  }

  for (const code of [5, 9]) {
    it(`with code ${code} has processed no`, () => {
      const client = new Scripted("client")
      const stream = client.open()
      client.sent()
      client.receive(rst(3, code))
      assert.strictEqual(client.read(stream), `Reset ${code} by Remote, processed no`)
    })
  }

  it("ends the wait of a reader that found nothing", () => {
    const { server, stream } = serving()
    assert.strictEqual(server.read(stream), '"abc"')
    assert.strictEqual(server.connection.read(stream)._tag, "Blocked")
    assert.strictEqual(stream.reading, "Waiting")
    server.receive(rst(3, 77))
    assert.strictEqual(stream.reading, "Ready")
  })

  it("is read from the bytes of PROTOCOL.md", () => {
    const { server } = serving()
    server.hex("000004 00 00000003 00000006")
    assert.deepStrictEqual(server.events(), ["Failed 3: Reset 6 by Remote, processed maybe"])
  })

  it("keeps bytes readable that arrived before it", () => {
    const { server, stream } = serving()
    server.receive(rst(3, 6))
    assert.strictEqual(server.read(stream), '"abc"')
    assert.strictEqual(server.read(stream), "Reset 6 by Remote, processed maybe")
    assert.deepStrictEqual(server.sent(), [])
  })

  it("after its FIN leaves the reader a clean end", () => {
    const { server, stream } = serving()
    server.receive(data(3, bytesOf("def"), { fin: true }), rst(3, 6))
    assert.deepStrictEqual(server.readAll(stream), { length: 6, then: "End" })
    assert.strictEqual(server.write(stream, "x"), "Reset 6 by Remote, processed maybe")
  })

  it("drops unsent bytes, and wakes a writer that waited for capacity", () => {
    const server = new Scripted("server", { maxSendBuffer: 1024 })
    server.receive(data(3, undefined, { syn: true }), data(5, undefined, { syn: true }))
    const [three, five] = [server.stream(3), server.stream(5)]
    server.events()
    assert.strictEqual(server.write(three, 1024), "took 1024")
    assert.strictEqual(server.write(five, 10), "took 0")
    server.receive(rst(3, 6))
    assert.deepStrictEqual(server.events(), ["Failed 3: Reset 6 by Remote, processed maybe", "Writable 5"])
    assert.strictEqual(server.connection.stats().queuedBytes, 0)
    assert.strictEqual(server.write(five, 10), "took 10")
    assert.deepStrictEqual(server.sent(), ["DATA 5 (10)"])
  })

  it("drops the queued increment of its stream", () => {
    const server = new Scripted("server", { window: 8 }).receive(data(3, bytesOf("12345678"), { syn: true }))
    server.readAll(server.stream(3))
    server.receive(rst(3, 6))
    assert.deepStrictEqual(server.sent(), [])
  })

  it("a thousand late frames on the id are ignored without an answer", () => {
    const { server } = serving()
    server.receive(rst(3, 6))
    server.events()
    for (let i = 0; i < 1000; i++) server.receive(data(3, bytesOf("late")))
    server.receive(data(3, undefined, { fin: true }), windowIncrement(3, 1), rst(3, 6), rst(3, 7))
    assert.deepStrictEqual(server.sent(), [])
    assert.deepStrictEqual(server.events(), [])
    assertAtRest(server.connection)
  })

  it("between the pieces of another stream's frame does not change that stream", () => {
    const server = new Scripted("server")
    server.hex("000006 12 00000003 616263").hex("646566 000004 00 00000005 00000006")
    assert.deepStrictEqual(server.readAll(server.stream(3)), { length: 6, then: "Blocked" })
  })
})

describe("a reset by this side", () => {
  for (const code of CODES) {
    it(`sends the unchanged code ${code} once`, () => {
      const { server, stream } = serving()
      server.connection.reset(stream, code)
      server.connection.reset(stream, 6)
      assert.deepStrictEqual(server.sent(), [`RST 3 code ${code}`])
      server.connection.reset(stream, 6)
      server.receive(data(3, bytesOf("x")))
      assert.deepStrictEqual(server.sent(), [])
      assert.deepStrictEqual(server.events(), [`Failed 3: Reset ${code} by Local, processed maybe`])
      assert.strictEqual(server.write(stream, "x"), `Reset ${code} by Local, processed maybe`)
      assertAtRest(server.connection)
    })
  }

  it("never looks like a clean end: not without a FIN, and not if it drops unread bytes before the FIN", () => {
    const cut = serving()
    cut.server.read(cut.stream)
    cut.server.connection.reset(cut.stream, 6)
    assert.strictEqual(cut.server.read(cut.stream), "Reset 6 by Local, processed maybe")

    const unread = serving()
    unread.server.receive(data(3, undefined, { fin: true }))
    unread.server.connection.reset(unread.stream, 6)
    assert.strictEqual(unread.server.read(unread.stream), "Reset 6 by Local, processed maybe")
  })

  it("keeps the clean end of a stream whose bytes were all read", () => {
    const { server, stream } = serving()
    server.receive(data(3, undefined, { fin: true }))
    server.read(stream)
    server.connection.reset(stream, 6)
    assert.strictEqual(server.read(stream), "End")
  })

  it("before the SYN was sent sends nothing, and has processed no", () => {
    const client = new Scripted("client")
    const stream = client.open()
    client.write(stream, "hello")
    client.connection.reset(stream, 6)
    assert.isFalse(client.connection.hasFrames)
    assert.deepStrictEqual(client.sent(), [])
    assert.deepStrictEqual(client.events(), ["Failed 3: Reset 6 by Local, processed no"])
    assertAtRest(client.connection)
  })

  it("late frames on an id that is used again are not ignored", () => {
    const client = new Scripted("client")
    client.connection.reset(client.open(), 6)
    const stream = client.open()
    assert.strictEqual(stream.id, 3)
    assert.deepStrictEqual(client.sent(), ["SYN 3 (0)"])
    client.receive(data(3, bytesOf("hi"), { fin: true }))
    assert.deepStrictEqual(client.readAll(stream), { length: 2, then: "End" })
    client.connection.finish(stream)
    client.sent()
    client.receive(data(3, bytesOf("late")))
    assert.deepStrictEqual(client.sent(), ["RST 3 code 4"])
  })

  it("drops the unsent bytes of its stream", () => {
    const { server, stream } = serving()
    server.write(stream, 1000)
    server.connection.finish(stream)
    server.connection.reset(stream, 6)
    assert.deepStrictEqual(server.sent(), ["RST 3 code 6"])
  })

  it("drops the queued increment of its stream, too", () => {
    const server = new Scripted("server", { window: 8 }).receive(data(3, bytesOf("12345678"), { syn: true }))
    server.readAll(server.stream(3))
    server.connection.reset(server.stream(3), 6)
    assert.deepStrictEqual(server.sent(), ["RST 3 code 6"])
  })

  it("of a stream that has ended in order does nothing", () => {
    const { server, stream } = serving()
    server.connection.finish(stream)
    server.sent()
    server.receive(data(3, undefined, { fin: true }))
    assert.deepStrictEqual(server.events(), ["Finished 3"])
    server.connection.reset(stream, 6)
    assert.deepStrictEqual(server.sent(), [])
    assert.deepStrictEqual(server.events(), [])
    assert.deepStrictEqual(server.readAll(stream), { length: 3, then: "End" })
  })

  it("wakes a waiting open, and a writer that waits for capacity", () => {
    const client = new Scripted("client", { maxOutboundStreams: 2, maxSendBuffer: 1024 })
    const [first, second] = [client.open(), client.open()]
    client.write(first, 1024)
    assert.strictEqual(client.write(second, 1), "took 0")
    assert.deepStrictEqual(client.connection.open(undefined), { _tag: "Full" })
    client.connection.reset(first, 6)
    assert.deepStrictEqual(client.events(), ["Failed 3: Reset 6 by Local, processed no", "Writable 5", "OpenAvailable"])
  })

  it("of all streams resets each live one once, and no other", () => {
    const client = new Scripted("client")
    client.open()
    client.receive(data(2, undefined, { syn: true }))
    client.sent()
    client.connection.resetAll(0xff)
    assert.deepStrictEqual(client.sent(), ["RST 3 code 255", "RST 2 code 255"])
    client.connection.resetAll(0xff)
    assert.deepStrictEqual(client.sent(), [])
  })

  it("a peer that causes endless resets and reads none ends the session with EnhanceYourCalm", () => {
    const server = new Scripted("server", {
      resetBudget: { burst: 10_000, perSecond: 0 },
      maxInboundStreams: 1
    })
    for (let id = 1; id <= 2 * 4097; id += 2) server.receive(data(id, bytesOf("x")))
    assert.isUndefined(server.connection.end)
    server.receive(data(8195, bytesOf("x")))
    assert.deepStrictEqual(server.events(), ["Ended: Violation 10 by Local"])
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 0 code 10", "UNKNOWN type 15 stream 0 (0)"])
  })
})

it("a reset of thousands of streams at once by this side is not charged to the peer", () => {
  const client = new Scripted("client", { maxOutboundStreams: 10_000 })
  for (let i = 0; i < 5000; i++) client.connection.open(undefined)
  client.frames()
  client.connection.resetAll(6)
  assert.strictEqual(client.connection.end, undefined)
  assert.strictEqual(client.frames().length, 5000)
})

describe("a stream that has ended", () => {
  it("is not reset: its accepted bytes are still sent while the session closes", () => {
    const client = new Scripted("client")
    const stream = client.open()
    client.write(stream, 3000)
    client.connection.close()
    client.events()
    client.connection.reset(stream, 6)
    client.connection.bytesLost(stream)
    assert.deepStrictEqual(client.events(), [])
    assert.deepStrictEqual(client.sent().slice(0, 1), ["SYN 3 (3000)"])
  })

  it("does not begin to be read again after stopReading", () => {
    const { server, stream } = serving()
    server.connection.stopReading(stream)
    server.receive(rst(3, 6))
    assert.strictEqual(server.read(stream), "Stopped")
  })

  it("is not reset because the bytes of a write were lost; an open one is", () => {
    const client = new Scripted("client")
    const [open, ended] = [client.open(), client.open()]
    client.sent()
    client.receive(rst(ended.id, 6))
    client.events()
    for (const stream of [open, ended]) client.connection.bytesLost(stream)
    assert.deepStrictEqual(client.sent(), [`RST ${open.id} code 2`])
    assert.deepStrictEqual(client.events(), [
      `BytesLost ${open.id}`,
      `Failed ${open.id}: Reset 2 by Local, processed maybe`
    ])
  })
})

describe("refusing a stream that the application has not seen", () => {
  const refused = (code?: number, before: (server: Scripted) => void = () => undefined) => {
    const server = new Scripted("server").receive(data(3, new Uint8Array(0), { syn: true }))
    before(server)
    server.connection.refuse(server.stream(3), code)
    const { backlog, charged } = server.connection.stats()
    return { backlog, refusals: charged.refusals, sent: server.sent().filter((line) => line.startsWith("RST")) }
  }

  it("frees its place in the backlog, and is free because nothing serves it", () => {
    assert.deepStrictEqual(refused(), { backlog: 0, refusals: 0, sent: ["RST 3 code 5"] })
  })

  it("is charged because the backlog is full, unless this side leaves", () => {
    assert.deepStrictEqual(refused(9), { backlog: 0, refusals: 1, sent: ["RST 3 code 9"] })
    const leaving = refused(9, (server) => server.connection.drain())
    assert.deepStrictEqual(leaving, { backlog: 0, refusals: 0, sent: ["RST 3 code 9"] })
  })

  it("can follow later, if the stream has to wait although it was expected to be taken", () => {
    const server = new Scripted("server")
    server.connection.setAcceptCapacity(1)
    server.receive(data(3, new Uint8Array(0), { syn: true }))
    assert.strictEqual(server.connection.stats().backlog, 0)
    server.connection.defer(server.stream(3))
    assert.strictEqual(server.connection.stats().backlog, 1)
    server.connection.refuse(server.stream(3))
    assert.strictEqual(server.connection.stats().backlog, 0)
  })
})
