import { assert, describe, it } from "@effect/vitest"
import { data, goAway, rst } from "../../src/protocol/wire/frame.js"
import { encodeUint32 } from "../../src/protocol/wire/heartbeat.js"
import type { Overrides } from "../support/protocol/options.js"
import { assertAtRest, Scripted } from "../support/protocol/scripted.js"
import { bytesOf, FILLER } from "../support/protocol/text.js"

const TOLERANCE = 15_000
const heartbeat = { interval: 10_000, tolerance: TOLERANCE }

const client = (overrides: Overrides = {}) => new Scripted("client", { typed: true, heartbeat, ...overrides })

describe("a silent peer", () => {
  it("gets a heartbeat after the interval, and is dead after the tolerance", () => {
    const session = client()
    const stream = session.open(0)
    session.sent()
    session.read(stream)
    assert.strictEqual(session.connection.nextDeadline(), 10_000)
    session.tick(9999, 7)
    assert.deepStrictEqual(session.sent(), [])
    session.tick(1, 7)
    assert.deepStrictEqual(session.sent(), ["SYN 5 (8)"])
    assert.strictEqual(session.connection.nextDeadline(), 25_000)
    session.tick(14_999)
    assert.deepStrictEqual(session.events(), [])
    session.tick(1)
    const end = "Dead Heartbeat silent for 25000 since 0"
    assert.deepStrictEqual(session.events(), [
      `Failed 3: SessionEnded (${end}), processed maybe`,
      `PingLost 7 on 5: SessionEnded (${end}), processed maybe`,
      `Ended: ${end}`
    ])
    assert.strictEqual(session.read(stream), `SessionEnded (${end}), processed maybe`)
    assert.deepStrictEqual(session.sent(), [])
    assert.strictEqual(session.connection.nextDeadline(), Infinity)
    assertAtRest(session.connection)
  })

  it("that answers is alive, and gets the next heartbeat one interval later", () => {
    const session = client()
    session.tick(10_000, 7)
    session.sent()
    session.tick(100).receive(data(3, encodeUint32(7)))
    assert.deepStrictEqual(session.events(), ["Pong 7 after 100"])
    assert.deepStrictEqual(session.tick(10).sent(), ["WNDINC 3 +4"])
    assert.strictEqual(session.connection.nextDeadline(), 20_100)
    session.tick(9990, 8)
    assert.deepStrictEqual(session.sent(), ["DATA 3 (4)"])
  })

  it("is alive while any byte arrives: a refused heartbeat, half a header, an unknown frame", () => {
    const session = client()
    session.tick(10_000, 7)
    session.sent()
    session.tick(14_000).receive(rst(3, 5))
    assert.deepStrictEqual(session.events(), ["PingLost 7 on 3: Reset 5 by Remote, processed no"])
    session.tick(9000).hex("000001")
    session.tick(9000).hex("f000000000 00")
    session.tick(9000)
    assert.isUndefined(session.connection.end)
    assert.deepStrictEqual(session.sent(), [])
  })

  it("is not declared dead by a check that runs far too late", () => {
    const session = client()
    session.tick(10_000, 7)
    session.sent()
    session.tick(60_000, 8)
    assert.isUndefined(session.connection.end)
    assert.deepStrictEqual(session.sent(), ["DATA 3 (4)"])
  })

  it("that has sent GOAWAY gets a SYN without payload instead of a heartbeat, and its RST shows that it lives", () => {
    const session = client().receive(goAway(0, 0))
    session.events()
    for (let id = 3; id < 103; id += 2) {
      session.tick(10_000)
      assert.deepStrictEqual(session.sent(), [`SYN ${id} (0)`])
      session.tick(TOLERANCE - 1).receive(rst(id, 5))
      assert.isUndefined(session.connection.end)
    }
    assert.deepStrictEqual(session.events(), [])
    assertAtRest(session.connection)
    assert.deepStrictEqual(session.connection.stats().charged, {
      resets: 0,
      refusals: 0,
      uselessFrames: 0,
      increments: 0
    })
  })

  it("that has sent GOAWAY is dead if it does not refuse that SYN, although its heartbeat stream was never opened", () => {
    const session = client().receive(goAway(0, 0))
    session.tick(10_000)
    session.sent()
    session.tick(TOLERANCE)
    assert.deepStrictEqual(session.connection.end, {
      _tag: "Dead",
      reason: "Heartbeat",
      silentFor: 10_000 + TOLERANCE,
      since: 0
    })
    assertAtRest(session.connection)
  })

  it("that has sent GOAWAY and speaks without a refusal gets one such SYN at a time", () => {
    const session = client().receive(data(2, bytesOf("type"), { syn: true }), goAway(0, 0))
    session.tick(10_000)
    assert.deepStrictEqual(session.sent(), ["SYN 3 (0)"])
    session
      .tick(10)
      .receive(data(2, bytesOf("x")))
      .tick(10_000)
    assert.deepStrictEqual(session.sent(), ["RST 3 code 6", "SYN 5 (0)"])
    assert.strictEqual(session.connection.stats().tableSize, 2)
    // a peer that takes the stream, and answers on it, is alive too
    session.receive(data(5, bytesOf("what?")), data(5, undefined, { fin: true }))
    assert.deepStrictEqual(session.sent(), ["RST 5 code 6"])
    assert.strictEqual(session.connection.stats().heldBytes, 1, "the x of stream 2, which nothing has read")
  })

  it("gets no heartbeat if there are none", () => {
    const session = client({ heartbeat: undefined })
    assert.strictEqual(session.connection.nextDeadline(), Infinity)
    session.tick(1_000_000)
    assert.isUndefined(session.connection.end)
  })
})

describe("a peer that stalls", () => {
  it("inside a frame ends the session, even if everything else works", () => {
    const server = new Scripted("server").receive(data(3, bytesOf("abc"), { syn: true })).hex("000005 10 000000")
    assert.strictEqual(server.read(server.stream(3)), '"abc"')
    assert.strictEqual(server.write(server.stream(3), "x"), "took 1")
    assert.strictEqual(server.connection.nextDeadline(), 10)
    server.tick(10)
    assert.strictEqual(server.connection.nextDeadline(), 30_000)
    server.tick(29_990)
    assert.strictEqual(server.events().slice(-1)[0], "Ended: Dead PartialFrame silent for 30000 since 0")
  })

  it("in reading our bytes ends the session", () => {
    const server = new Scripted("server").receive(data(3, undefined, { syn: true }))
    server.write(server.stream(3), "x")
    server.now = 5
    server.connection.takeFrames(1000, 5)
    assert.strictEqual(server.connection.nextDeadline(), 30_005)
    server.tick(29_999)
    assert.isUndefined(server.connection.end)
    server.tick(1)
    assert.strictEqual(server.events().slice(-1)[0], "Ended: Dead WriteStalled silent for 30000 since 5")
  })

  it("is alive again when the transport has accepted the batch", () => {
    const server = new Scripted("server").receive(data(3, undefined, { syn: true }))
    server.write(server.stream(3), "x")
    server.connection.takeFrames(1000, 0)
    server.connection.written()
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
  })

  it("has no time limit after an empty batch", () => {
    const server = new Scripted("server")
    assert.deepStrictEqual(server.connection.takeFrames(1000, 0), [])
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
  })
})

describe("a stream whose type does not arrive", () => {
  it("is refused at the type's time limit; other streams are not", () => {
    const server = new Scripted("server", { typed: true }).receive(data(3, Uint8Array.of(1), { syn: true }))
    server.now = 4000
    server.receive(data(5, undefined, { syn: true }), data(7, new Uint8Array(4), { syn: true }))
    assert.deepStrictEqual(server.events(), ["Opened 7 type 0"])
    assert.strictEqual(server.connection.nextDeadline(), 10_000)
    server.tick(5999)
    assert.deepStrictEqual(server.sent(), [])
    server.tick(1)
    assert.deepStrictEqual(server.sent(), ["RST 3 code 5"])
    assert.strictEqual(server.connection.nextDeadline(), 14_000)
    server.receive(data(5, new Uint8Array(4)))
    assert.deepStrictEqual(server.events(), ["Opened 5 type 0"])
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
    server.tick(10_000)
    assert.deepStrictEqual(server.sent(), [])
    assert.strictEqual(server.connection.stats().inboundStreams, 2)
  })

  it("has a time limit from its SYN, even if a part of the type arrives", () => {
    const server = new Scripted("server", { typed: true, typeTimeout: 50 })
    server.receive(data(3, undefined, { syn: true }))
    server.now = 40
    server.receive(data(3, Uint8Array.of(1)))
    server.tick(10)
    assert.deepStrictEqual(server.sent(), ["RST 3 code 5"])
    assert.deepStrictEqual(server.events(), [])
    assertAtRest(server.connection)
  })

  it("has no time limit on an untyped session", () => {
    const server = new Scripted("server").receive(data(3, undefined, { syn: true }))
    server.tick(100_000)
    assert.deepStrictEqual(server.sent(), [])
  })

  it("leaves no deadline when the session ends", () => {
    const server = new Scripted("server", { typed: true }).receive(data(3, undefined, { syn: true }))
    server.hex("000001 10 00000000")
    assert.deepStrictEqual(server.sent(), ["GOAWAY last 3 code 1", FILLER])
    assert.strictEqual(server.connection.nextDeadline(), Infinity)
    assert.deepStrictEqual(server.events(), ["Ended: Violation 1 by Local"])
  })
})
