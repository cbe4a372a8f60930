import { assert, describe, it } from "@effect/vitest"
import type { Frame } from "../../src/protocol/wire/frame.js"
import { data, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import type { Overrides } from "../support/protocol/options.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf } from "../support/protocol/text.js"

const syn = (id: number, payload = ""): Frame => data(id, bytesOf(payload), { syn: true })

const refusing: ReadonlyArray<readonly [why: string, code: number, prepare: () => Scripted]> = [
  ["the accept queue is full", 9, () => full({ acceptBacklog: 1 })],
  ["the peer has as many streams as it may", 5, () => full({ maxInboundStreams: 1 })],
  ["this side is draining", 5, () => after((server) => server.connection.drain())],
  ["this side has said goodbye", 5, () => after((server) => server.connection.goAway(0, ""))],
  ["this side is closing", 5, () => after((server) => server.connection.close())]
]

const full = (overrides: Overrides): Scripted => after(() => undefined, overrides)

/** A server with one stream of the peer, 3. */
const after = (then: (server: Scripted) => void, overrides: Overrides = {}): Scripted => {
  const server = new Scripted("server", { window: 1000, ...overrides }).receive(syn(3))
  server.write(server.stream(3), 100)
  then(server)
  server.events()
  return server
}

/** The numbers without what it cost the peer. */
const numbers = (server: Scripted) => ({ ...server.connection.stats(), charged: undefined })

describe("a stream that is refused", () => {
  for (const [why, code, prepare] of refusing) {
    it(`because ${why}: RST ${code}, nothing of it is stored, and later frames on it are ignored`, () => {
      const server = prepare()
      const before = numbers(server)
      server.receive(syn(5, "payload"))
      assert.deepStrictEqual(numbers(server), before)
      assert.deepStrictEqual(server.events(), [])
      server.receive(data(5, bytesOf("x")), data(5, new Uint8Array(262_144)), windowIncrement(5, 10), rst(5, 6))
      server.receive(data(5, bytesOf("x"), { fin: true }), windowIncrement(5, 0))
      assert.deepStrictEqual(numbers(server), before)
      const resets = server.sent().filter((line) => line.startsWith("RST"))
      assert.deepStrictEqual(resets, [`RST 5 code ${code}`])
      assert.deepStrictEqual(
        server.events().filter((line) => line.includes(" 5")),
        []
      )
    })
  }

  it("in pieces is skipped completely, and the next frame is read", () => {
    const server = full({ maxInboundStreams: 1 })
    server
      .hex("000006 12 00000005 6162")
      .hex("63646566")
      .receive(data(3, bytesOf("fine")))
    assert.deepStrictEqual(server.readAll(server.stream(3)), { length: 4, then: "Blocked" })
    assert.deepStrictEqual(
      server.sent().filter((line) => line.startsWith("RST")),
      ["RST 5 code 5"]
    )
  })
})

describe("the limits on streams of the peer", () => {
  it("refuse the 257th live stream with a limit of 256, and store nothing for it", () => {
    const server = new Scripted("server", { maxInboundStreams: 256, acceptBacklog: 1000 })
    for (let i = 0; i < 257; i++) server.receive(syn(3 + 2 * i))
    assert.deepStrictEqual(server.sent(), [`RST ${3 + 2 * 256} code 5`])
    assert.strictEqual(server.events().length, 256)
    assert.strictEqual(server.connection.stats().tableSize, 256)
    assert.strictEqual(server.connection.stats().inboundStreams, 256)
  })

  it("a stream that ends frees a place for the next", () => {
    const server = new Scripted("server", { maxInboundStreams: 1 }).receive(syn(3), rst(3, 6))
    server.connection.accept(server.stream(3))
    server.receive(syn(5))
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.connection.stats().inboundStreams, 1)
  })

  it("keep 128 of 200 unaccepted streams, and refuse 72 with AcceptQueueFull", () => {
    const server = new Scripted("server")
    for (let i = 0; i < 200; i++) server.receive(syn(3 + 2 * i, "z"))
    const refused = server.sent()
    assert.strictEqual(refused.length, 72)
    assert.deepStrictEqual([refused[0], refused[71]], ["RST 259 code 9", "RST 401 code 9"])
    assert.strictEqual(server.connection.stats().tableSize, 128)
    assert.strictEqual(server.connection.stats().backlog, 128)
    assert.strictEqual(server.events().length, 128)
    for (let id = 259; id <= 401; id += 2) server.receive(data(id, new Uint8Array(262_144)))
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.connection.stats().bufferedBytes, 128)
  })

  it("an accepted stream frees one place in the queue, even if it is accepted twice", () => {
    const server = new Scripted("server", { acceptBacklog: 2 }).receive(syn(3), syn(5))
    const first = server.stream(3)
    server.connection.accept(first)
    server.connection.accept(first)
    assert.strictEqual(server.connection.stats().backlog, 1)
    server.receive(syn(7), syn(9))
    assert.deepStrictEqual(server.sent(), ["RST 9 code 9"])
  })

  it("an ended stream keeps its place in the queue until it is accepted, because it can still be read", () => {
    const server = new Scripted("server", { acceptBacklog: 1 }).receive(syn(3, "hi"), rst(3, 6))
    assert.strictEqual(server.connection.stats().backlog, 1)
    assert.strictEqual(server.connection.stats().inboundStreams, 0)
    server.receive(syn(5))
    assert.deepStrictEqual(server.sent(), ["RST 5 code 9"])
    assert.strictEqual(server.read(server.stream(3)), '"hi"')
    server.connection.accept(server.stream(3))
    assertAtRest(server.connection)
  })

  it("never count below 0, even if a stream is accepted after the end of the session", () => {
    const server = new Scripted("server").receive(syn(3, "hi"))
    server.connection.abort()
    server.connection.accept(server.stream(3))
    assertAtRest(server.connection)
    assert.strictEqual(server.read(server.stream(3)), '"hi"')
  })

  it("hold for a client too, if a server opens 10 000 streams that are not accepted", () => {
    const client = new Scripted("client", { refusalBudget: { burst: 10_000, perSecond: 0 } })
    for (let i = 1; i <= 10_000; i++) {
      client.receive(syn(2 * i, "z"))
      client.frames()
    }
    assert.strictEqual(client.connection.stats().tableSize, 128)
    assert.strictEqual(client.connection.stats().bufferedBytes, 128)
    assert.isUndefined(client.connection.end)
  })

  it("a typed stream is refused when its type is known, and its payload is dropped", () => {
    const server = new Scripted("server", { typed: true, acceptBacklog: 1 })
    server.receive(syn(3, "abcd"), syn(5, "abcdefgh"))
    assert.deepStrictEqual(server.sent(), ["RST 5 code 9"])
    assert.deepStrictEqual(server.events(), ["Opened 3 type 1633837924"])
    const { backlog, bufferedBytes, inboundStreams, tableSize } = server.connection.stats()
    assert.deepStrictEqual(
      { backlog, bufferedBytes, inboundStreams, tableSize },
      {
        backlog: 1,
        bufferedBytes: 0,
        inboundStreams: 1,
        tableSize: 1
      }
    )
    server.receive(syn(7, "a"), data(7, bytesOf("b")), data(7, bytesOf("cdef")))
    assert.deepStrictEqual(server.sent(), ["RST 7 code 9"])
    assert.deepStrictEqual(server.events(), [])
  })

  it("streams whose type has not arrived count as live, so they are limited too", () => {
    const server = new Scripted("server", { typed: true, maxInboundStreams: 2 }).receive(syn(3), syn(5), syn(7))
    assert.deepStrictEqual(server.sent(), ["RST 7 code 5"])
    assert.strictEqual(server.connection.stats().inboundStreams, 2)
    assert.strictEqual(server.connection.stats().backlog, 0)
  })
})

describe("an application that waits for streams", () => {
  it("takes the streams of its accept capacity, which use no place in the backlog", () => {
    const server = new Scripted("server", { acceptBacklog: 1 })
    server.connection.setAcceptCapacity(2)
    server.receive(syn(3), syn(5))
    assert.strictEqual(server.connection.stats().backlog, 0)
    server.receive(syn(7), syn(9))
    assert.strictEqual(server.connection.stats().backlog, 1)
    assert.deepStrictEqual(server.sent(), ["RST 9 code 9"])
    server.connection.accept(server.stream(3))
    assert.strictEqual(server.connection.stats().backlog, 1)
    server.connection.setAcceptCapacity(1)
    server.receive(syn(11))
    assert.deepStrictEqual(server.events(), ["Opened 3", "Opened 5", "Opened 7", "Opened 11"])
  })

  it("takes a stream of a typed session when its type is known", () => {
    const server = new Scripted("server", { typed: true, acceptBacklog: 1 })
    server.connection.setAcceptCapacity(1)
    server.receive(syn(3, "type"), syn(5, "type"), syn(7, "type"))
    assert.deepStrictEqual(server.events(), ["Opened 3 type 1954115685", "Opened 5 type 1954115685"])
    assert.deepStrictEqual(server.sent(), ["RST 7 code 9"])
  })

  it("may refuse a stream that it was shown, and the peer may retry", () => {
    const server = new Scripted("server").receive(syn(3, "hi"))
    server.connection.refuse(server.stream(3))
    assert.deepStrictEqual(server.sent(), ["RST 3 code 5"])
    assert.strictEqual(server.connection.stats().bufferedBytes, 0)
    server.receive(data(3, bytesOf("late")))
    assert.deepStrictEqual(server.sent(), [])
  })
})
