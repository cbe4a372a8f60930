import { assert, describe, it } from "@effect/vitest"
import { encodeUint32, HEARTBEAT_TYPE } from "../../src/protocol/wire/heartbeat.js"
import type { OpenResult } from "../../src/protocol/results.js"
import { StreamCore } from "../../src/protocol/streams/streamCore.js"
import type { Frame } from "../../src/protocol/wire/frame.js"
import { data, goAway, goAwayFiller, rst, windowIncrement } from "../../src/protocol/wire/frame.js"
import type { Overrides } from "../support/protocol/options.js"
import { Pair } from "../support/protocol/pair.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf, showEvent } from "../support/protocol/text.js"

const NONCES = [1, 0xdeadbeef]

/** The SYN of a heartbeat stream with some heartbeats behind the type. */
const heartbeats = (id: number, ...nonces: ReadonlyArray<number>): Frame =>
  data(id, join(HEARTBEAT_TYPE, ...nonces), { syn: true })

const join = (...numbers: ReadonlyArray<number>): Uint8Array =>
  Uint8Array.from(numbers.flatMap((n) => [...encodeUint32(n)]))

const server = (overrides: Overrides = {}) => new Scripted("server", { typed: true, ...overrides })
const client = (overrides: Overrides = {}) => new Scripted("client", { typed: true, ...overrides })

const payload = (frame: Frame | undefined): ReadonlyArray<number> => (frame?._tag === "Data" ? [...frame.payload] : [])

describe("answering the peer's heartbeats", () => {
  it("echoes the 4 bytes, and the application never sees the stream", () => {
    const session = server().receive(heartbeats(3, 0xdeadbeef))
    assert.deepStrictEqual(session.events(), [])
    const frames = session.frames()
    assert.deepStrictEqual(
      frames.map((frame) => frame._tag),
      ["Data"]
    )
    assert.deepStrictEqual(payload(frames[0]), [0xde, 0xad, 0xbe, 0xef])
    const { backlog, inboundStreams, queuedBytes, tableSize } = session.connection.stats()
    assert.deepStrictEqual(
      { backlog, inboundStreams, queuedBytes, tableSize },
      {
        backlog: 0,
        inboundStreams: 0,
        queuedBytes: 0,
        tableSize: 1
      }
    )
  })

  it("echoes only complete numbers, in any chunks", () => {
    const session = server().receive(heartbeats(3))
    session.receive(data(3, Uint8Array.of(1, 2, 3)))
    assert.deepStrictEqual(session.sent(), [])
    session.receive(data(3, Uint8Array.of(4, 5)))
    assert.deepStrictEqual(payload(session.frames()[0]), [1, 2, 3, 4])
    session.receive(data(3, Uint8Array.of(6, 7, 8)))
    assert.deepStrictEqual(payload(session.frames()[0]), [5, 6, 7, 8])
  })

  it("goes before the bytes of streams", () => {
    const session = server().receive(data(3, new Uint8Array(4), { syn: true }))
    session.write(session.stream(3), 100_000)
    session.receive(heartbeats(5, 7))
    assert.strictEqual(session.sent()[0], "DATA 5 (4)")
  })

  it("works with a full accept queue, and uses no place in it", () => {
    const session = server({ acceptBacklog: 1 }).receive(data(3, new Uint8Array(4), { syn: true }), heartbeats(5, 7))
    assert.deepStrictEqual(session.sent(), ["DATA 5 (4)"])
    assert.strictEqual(session.connection.stats().backlog, 1)
  })

  it("accepts one stream: others are refused until it has ended", () => {
    const session = server()
    for (let i = 0; i < 1000; i++) session.receive(heartbeats(3 + 2 * i, 7))
    const sent = session.sent()
    assert.strictEqual(sent.filter((line) => / code 5$/.test(line)).length, 999)
    assert.deepStrictEqual(
      sent.filter((line) => line.startsWith("DATA")),
      ["DATA 3 (4)"]
    )
    assert.strictEqual(session.connection.stats().tableSize, 1)
    assert.strictEqual(session.connection.stats().inboundStreams, 0)
    session.receive(rst(3, 6), heartbeats(3001, 7))
    assert.deepStrictEqual(session.sent(), ["DATA 3001 (4)"])
  })

  it("is limited by the peer's credit, and waiting answers are sent in one frame", () => {
    const session = server({ window: 16 }).receive(heartbeats(3, 1, 2, 3))
    assert.deepStrictEqual(session.sent(), ["WNDINC 3 +16", "DATA 3 (12)"])
    session.receive(data(3, join(4, 5, 6, 7)))
    assert.deepStrictEqual(session.sent(), ["DATA 3 (4)"])
    assert.strictEqual(session.connection.stats().bufferedBytes, 12)
    session.receive(windowIncrement(3, 3))
    assert.deepStrictEqual(session.sent(), [])
    session.receive(windowIncrement(3, 6))
    const frames = session.frames()
    assert.deepStrictEqual(payload(frames.find((frame) => frame._tag === "Data")), [...join(5, 6)])
    session.receive(data(3, new Uint8Array(16)))
    assert.include(session.sent(), "RST 3 code 3")
  })

  it("leaves nothing in memory after a million heartbeats on one stream", () => {
    const session = server().receive(heartbeats(3))
    const burst = new Uint8Array(40_000)
    for (let i = 0; i < 100; i++) {
      session.receive(data(3, burst))
      session.frames()
      session.receive(windowIncrement(3, 40_000))
    }
    const { bufferedBytes, queuedBytes } = session.connection.stats()
    assert.deepStrictEqual({ bufferedBytes, queuedBytes }, { bufferedBytes: 0, queuedBytes: 0 })
    assert.isUndefined(session.connection.end)
  })

  it("ends with an RST, not a FIN, which Rust would answer endlessly", () => {
    const session = server().receive(heartbeats(3), data(3, undefined, { fin: true }))
    assert.deepStrictEqual(session.sent(), ["RST 3 code 6"])
    assert.deepStrictEqual(session.events(), [])
    assertAtRest(session.connection)
  })

  it("does not happen on an untyped session", () => {
    const session = new Scripted("server").receive(heartbeats(3, 7))
    assert.deepStrictEqual(session.events(), ["Opened 3"])
    assert.deepStrictEqual(session.sent(), [])
  })

  it("unsent answers are limited, even if the peer reads none and grants unlimited credit", () => {
    const server = new Scripted("server", { typed: true })
    server.receive(data(3, encodeUint32(HEARTBEAT_TYPE), { syn: true }), windowIncrement(3, 0x70000000))
    for (let i = 0; i < 4096; i++) {
      server.receive(data(3, new Uint8Array(60)))
      assert.isAtMost(server.connection.stats().queuedBytes, 1024)
    }
    // all within the window is answered once the peer takes it again
    let answered = 0
    for (let i = 0; i < 1000; i++) {
      for (const frame of server.frames()) if (frame._tag === "Data") answered += frame.payload.length
    }
    assert.strictEqual(answered, 4096 * 60)
    assert.strictEqual(server.connection.stats().queuedBytes, 0)
  })

  it("half of a heartbeat does not stay in memory when the session closes", () => {
    const server = new Scripted("server", { typed: true })
    server.receive(data(3, Uint8Array.of(255, 255, 255, 255, 1, 2), { syn: true }))
    assert.strictEqual(server.connection.stats().heldBytes, 2)
    server.connection.close()
    server.sent()
    assert.deepStrictEqual(server.connection.end, { _tag: "Closed" })
    assert.strictEqual(server.connection.stats().heldBytes, 0)
  })
})

describe("heartbeats of this side", () => {
  it("open their stream with type and number in one frame, and measure the round trip", () => {
    const session = client()
    assert.isTrue(session.connection.ping(0xdeadbeef, 0))
    assert.strictEqual(session.connection.stats().queuedBytes, 4)
    const frames = session.frames()
    assert.deepStrictEqual(payload(frames[0]), [0xff, 0xff, 0xff, 0xff, 0xde, 0xad, 0xbe, 0xef])
    assert.isTrue(frames[0]?._tag === "Data" && frames[0].syn)
    session.tick(25).receive(data(3, join(0xdeadbeef)))
    assert.deepStrictEqual(session.events(), [`Pong ${0xdeadbeef} after 25`])
    assert.strictEqual(session.connection.stats().roundTrip, 25)
    assert.isTrue(session.connection.ping(2, 100))
    assert.deepStrictEqual(session.sent(), ["DATA 3 (4)"])
    assert.strictEqual(session.connection.stats().outboundStreams, 0)
    assert.strictEqual(session.connection.stats().tableSize, 1)
  })

  it("can be answered in any pieces, and several at once", () => {
    const session = client()
    for (const nonce of NONCES) session.connection.ping(nonce, 0)
    assert.deepStrictEqual(session.sent(), ["SYN 3 (12)"])
    const answer = join(...NONCES)
    session.receive(data(3, answer.subarray(0, 5)))
    assert.deepStrictEqual(session.events(), ["Pong 1 after 0"])
    session.receive(data(3, answer.subarray(5)))
    assert.deepStrictEqual(session.events(), [`Pong ${0xdeadbeef} after 0`])
  })

  it("a wrong number is not an answer, and neither is a repeated one", () => {
    const session = client()
    session.connection.ping(1, 0)
    session.sent()
    session.receive(data(3, join(2)))
    assert.deepStrictEqual(session.events(), [])
    session.receive(data(3, join(1, 1, 1)))
    assert.deepStrictEqual(session.events(), ["Pong 1 after 0"])
    assert.isUndefined(session.connection.end)
  })

  it("a pending number is not sent again", () => {
    const session = client()
    assert.isTrue(session.connection.ping(1, 0))
    assert.isFalse(session.connection.ping(1, 0))
    assert.deepStrictEqual(session.sent(), ["SYN 3 (8)"])
  })

  it("are lost with their stream, one by one, and the next opens another", () => {
    const session = client()
    for (const nonce of NONCES) session.connection.ping(nonce, 0)
    session.sent()
    session.receive(rst(3, 5))
    assert.deepStrictEqual(
      session.events(),
      NONCES.map((nonce) => `PingLost ${nonce} on 3: Reset 5 by Remote, processed no`)
    )
    assert.strictEqual(session.connection.stats().tableSize, 0)
    assert.isTrue(session.connection.ping(1, 0))
    assert.deepStrictEqual(session.sent(), ["SYN 5 (8)"])
    session.receive(data(5, join(1)))
    assert.deepStrictEqual(session.events(), ["Pong 1 after 0"])
  })

  it("half an answer on a lost stream does not affect the answers on the next stream", () => {
    const session = client()
    session.connection.ping(1, 0)
    session.sent()
    session.receive(data(3, Uint8Array.of(0, 0)), rst(3, 6))
    session.connection.ping(2, 0)
    session.sent()
    session.events()
    session.receive(data(5, join(2)))
    assert.deepStrictEqual(session.events(), ["Pong 2 after 0"])
  })

  it("are lost if the responder sends FIN, which is answered with an RST", () => {
    const session = client()
    session.connection.ping(1, 0)
    session.sent()
    session.receive(data(3, undefined, { fin: true }))
    assert.deepStrictEqual(session.sent(), ["RST 3 code 6"])
    assert.deepStrictEqual(session.events(), ["PingLost 1 on 3: Reset 6 by Local, processed maybe"])
  })

  it("use a new stream after a reset of the old one, if the responder grants no credit", () => {
    const session = client({ window: 16 })
    for (const nonce of [1, 2, 3]) assert.isTrue(session.connection.ping(nonce, 0))
    assert.deepStrictEqual(session.sent(), ["SYN 3 (16)"])
    session.receive(data(3, join(1)))
    assert.isTrue(session.connection.ping(4, 0))
    assert.deepStrictEqual(session.sent(), ["RST 3 code 6", "SYN 5 (8)"])
    assert.deepStrictEqual(session.events(), [
      "Pong 1 after 0",
      "PingLost 2 on 3: Reset 6 by Local, processed maybe",
      "PingLost 3 on 3: Reset 6 by Local, processed maybe"
    ])
  })

  it("between two sessions continue on one stream with any window", () => {
    for (const window of [8, 16, 100, 262_144]) {
      const pair = new Pair({ typed: true, window })
      const pongs: Array<string> = []
      for (let nonce = 0; nonce < 300; nonce++) {
        for (const end of [pair.client, pair.server]) assert.isTrue(end.connection.ping(nonce, pair.clock.now))
        pair.settle((_, event) => pongs.push(showEvent(event)))
      }
      assert.strictEqual(pongs.length, 600)
      assert.deepStrictEqual([...new Set(pongs.map((line) => line.replace(/ \d+ /, " ")))], ["Pong after 0"])
      assert.strictEqual(pair.client.connection.stats().tableSize, 2)
    }
  })

  it("are not sent with a window of less than 8 bytes", () => {
    const pair = new Pair({ typed: true, window: 7 })
    assert.isFalse(pair.client.connection.ping(1, 0))
    assert.isFalse(pair.client.connection.hasFrames)
    assert.strictEqual(pair.client.connection.stats().tableSize, 0)
  })

  it("do not count against maxOutboundStreams", () => {
    const session = client({ maxOutboundStreams: 1 })
    session.open(0)
    assert.isTrue(session.connection.ping(1, 0))
    assert.deepStrictEqual(session.connection.open(0), { _tag: "Full" })
  })

  it("continue while the session drains", () => {
    const session = client()
    session.connection.drain()
    assert.isTrue(session.connection.ping(1, 0))
  })

  it("open no stream after the peer's GOAWAY, but continue on an open one", () => {
    const session = client().receive(goAway(0, 0))
    assert.isFalse(session.connection.ping(1, 0))
    assert.deepStrictEqual(session.sent(), [])
    const older = client()
    older.connection.ping(1, 0)
    older.sent()
    older.receive(goAway(3, 0))
    assert.isTrue(older.connection.ping(2, 0))
    assert.deepStrictEqual(older.sent(), ["DATA 3 (4)"])
    older.receive(goAway(0, 0))
    assert.strictEqual(older.events().filter((line) => line.startsWith("PingLost")).length, 2)
  })

  it("are not sent on an untyped or closing session, or without ids", () => {
    assert.isFalse(new Scripted("client").connection.ping(1, 0))
    const exhausted = client({ firstStreamId: 0x7fffffff })
    exhausted.open(0)
    exhausted.sent()
    assert.isFalse(exhausted.connection.ping(1, 0))
    assert.isFalse(exhausted.connection.hasFrames)
    const closing = client()
    closing.connection.close()
    assert.isFalse(closing.connection.ping(1, 0))
  })

  it("bytes on our heartbeat stream that are no answers count against its window, and are granted again", () => {
    const session = client({ window: 100 })
    session.connection.ping(1, 0)
    session.sent()
    session.receive(data(3, bytesOf("x".repeat(50))))
    assert.deepStrictEqual(session.sent(), ["WNDINC 3 +50"])
    session.receive(data(3, bytesOf("x".repeat(101))))
    assert.deepStrictEqual(session.sent(), ["RST 3 code 3"])
  })

  it("that cannot be sent without a free id do not make the peer dead", () => {
    const options = { typed: true, firstStreamId: 0x7fffffff, heartbeat: { interval: 1000, tolerance: 2000 } }
    const client = new Scripted("client", options)
    opened(client.connection.open(0))
    client.frames()
    for (let now = 0; now <= 20_000; now += 500) {
      client.connection.tick(now, 7)
      assert.strictEqual(client.connection.end, undefined)
    }
  })
})

describe("after the peer's GOAWAY, a due heartbeat", () => {
  const heartbeat = { interval: 1000, tolerance: 2000 }
  const left = (overrides: Overrides = {}): Scripted => client({ heartbeat, ...overrides }).receive(goAway(0, 0))

  it("is a SYN without type and payload, whose refusal shows that the peer is alive", () => {
    const session = left()
    for (const id of [3, 5, 7]) {
      session.tick(1000)
      assert.deepStrictEqual(session.sent(), [`SYN ${id} (0)`])
      session.tick(1000).receive(rst(id, 5))
    }
    assert.isUndefined(session.connection.end)
    assert.deepStrictEqual(session.events(), ["GoneAway last 0 code 0"])
    assertAtRest(session.connection)
  })

  it("replaces an older one that the peer has not refused", () => {
    const session = client({ heartbeat }).receive(goAway(99, 0)).tick(1000)
    assert.deepStrictEqual(session.sent(), ["SYN 3 (0)"])
    session.receive(goAwayFiller).tick(1000)
    assert.deepStrictEqual(session.sent(), ["RST 3 code 6", "SYN 5 (0)"])
    assert.strictEqual(session.connection.stats().tableSize, 1)
  })

  it("that the peer does not refuse makes it dead, although its heartbeats are known", () => {
    const session = left().tick(1000)
    session.sent()
    session.tick(2000)
    const { end } = session.connection
    assert.deepStrictEqual(end, { _tag: "Dead", reason: "Heartbeat", silentFor: 3000, since: 0 })
  })

  it("is not sent on an untyped session, while this side closes, or without a free id: then silence proves nothing", () => {
    const exhausted = client({ heartbeat, firstStreamId: 0x7fffffff })
    opened(exhausted.connection.open(0))
    exhausted.sent()
    const closing = left()
    for (const session of [left({ typed: false }), exhausted.receive(goAway(0x7fffffff, 0)), closing]) {
      if (session === closing) session.connection.close()
      session.tick(1000)
      assert.isFalse(session.sent().some((line) => line.startsWith("SYN")))
      session.tick(2000)
      assert.notStrictEqual(session.connection.end?._tag, "Dead")
    }
  })

  it("is an ordinary heartbeat before the GOAWAY", () => {
    const session = client({ heartbeat, peerWindow: 7 }).tick(1000)
    assert.deepStrictEqual(session.sent(), [])
    session.receive(goAway(0, 0)).tick(1000)
    assert.deepStrictEqual(session.sent(), ["SYN 3 (0)"])
  })
})

const opened = (result: OpenResult): StreamCore => {
  if (result instanceof StreamCore) return result
  return assert.fail(`not opened: ${result._tag}`)
}
